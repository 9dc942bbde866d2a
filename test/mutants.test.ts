/** The table of mutants speaks of the code as it is. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { mutants } from "./mutants-table.ts"

it.effect("each mutant's text stands in its file exactly once", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    for (const { file, find, name, replace } of mutants) {
      const text = yield* files.readFileString(new URL(`../${file}`, import.meta.url).pathname)
      assert.lengthOf(text.split(find), 2, `${name}: ${find}`)
      assert.notStrictEqual(find, replace, name)
    }
  }).pipe(Effect.provide(NodeServices.layer))
)
