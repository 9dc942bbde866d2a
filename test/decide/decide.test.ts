/**
 * Every decision as a pair of files: the world that was observed, and the
 * actions that follow. The file's name says what happens.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { stringify } from "yaml"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { casesIn, expand, inputEnding, readWorlds } from "./worlds.ts"

const here = new URL("./", import.meta.url)
const read = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices>) =>
  Effect.runPromise(Effect.provide(effect, NodeServices.layer))
const functions = await read(loadFunctions(new URL("../../functions/", here)))

for (const definition of functions) {
  const folder = new URL(definition.name, here).pathname
  const decodeStrictly = Schema.decodeUnknownEffect(definition.Observed, { onExcessProperty: "error" })
  const worlds = await read(readWorlds(folder))
  const cases = await read(casesIn(folder))

  it(`${definition.name} has golden pairs`, () => assert.isAbove(cases.length, 0))

  for (const [name, world] of worlds) {
    it.effect(`${definition.name} can be given ${name}`, () => decodeStrictly(world))
  }

  for (const name of cases) {
    it.effect(`${definition.name}: ${name.replaceAll("-", " ")}`, () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const text = yield* files.readFileString(`${folder}/${name}${inputEnding}`)
        const observed = yield* decodeStrictly(yield* expand(text, worlds))
        const actions = definition.decide(observed)
        assert.deepStrictEqual(definition.decide(observed), actions, "the same world gives the same actions")
        const output = stringify(actions, { lineWidth: 110, aliasDuplicateObjects: false })
        yield* Effect.promise(() => expect(output).toMatchFileSnapshot(`${folder}/${name}.output.yaml`))
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }
}

describe("a case", () => {
  const worlds = new Map<string, unknown>([
    ["one", { list: [{ name: "a", of: { kept: 1, gone: 2 } }, { metadata: { name: "b" } }, 3], plain: [1] }]
  ])

  it.effect("patches the items of a list under their names, and all else as a JSON merge patch", () =>
    Effect.gen(function* () {
      const text =
        "# why: An example.\ngiven: one\nlist: { a: { of: { gone: null } }, b: null, c: { new: 4 } }\nplain: [2]\n"
      assert.deepStrictEqual(yield* expand(text, worlds), {
        list: [{ name: "a", of: { kept: 1 } }, 3, { new: 4 }],
        plain: [2]
      })
    })
  )

  const refused = {
    "# why: An example.\ngiven: two\n": "given: two names no world; there are one.",
    "given: one\n": "The first line has to be `# why: ` and why this case exists."
  }
  for (const [text, message] of Object.entries(refused)) {
    it.effect(`is refused: ${message}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(expand(text, worlds))
        assert.include(error.message, message)
      })
    )
  }
})
