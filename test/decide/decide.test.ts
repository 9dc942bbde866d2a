/**
 * Every decision as a pair of files: the world that was observed, and the
 * actions that follow. The file's name says what happens.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, expect, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { parse, stringify } from "yaml"
import { loadFunctions } from "../../lib/load.ts"

const here = new URL("./", import.meta.url)
const functions = await Effect.runPromise(
  loadFunctions(new URL("../../functions/", here)).pipe(Effect.provide(NodeServices.layer))
)

const ending = ".input.yaml"

for (const definition of functions) {
  const folder = new URL(`${definition.name}/`, here)
  const names = (
    await Effect.runPromise(
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        return yield* files.readDirectory(folder.pathname)
      }).pipe(Effect.provide(NodeServices.layer))
    )
  ).filter((file) => file.endsWith(ending))

  it(`${definition.name} has golden pairs`, () => assert.isAbove(names.length, 0))

  for (const file of names) {
    it.effect(`${definition.name}: ${file.slice(0, -ending.length).replaceAll("-", " ")}`, () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const input = parse(yield* files.readFileString(new URL(file, folder).pathname))
        const observed = yield* Schema.decodeUnknownEffect(definition.Observed, { onExcessProperty: "error" })(input)
        const actions = definition.decide(observed)
        assert.deepStrictEqual(definition.decide(observed), actions, "the same world gives the same actions")
        const output = new URL(file.replace(ending, ".output.yaml"), folder)
        const text = stringify(actions, { lineWidth: 110, aliasDuplicateObjects: false })
        yield* Effect.promise(() => expect(text).toMatchFileSnapshot(output.pathname))
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }
}
