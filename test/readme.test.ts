/** The README's table of reasons is that of the code. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { reasons } from "../lib/api/condition.ts"

it.effect("every reason has its row in the README", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const readme = yield* files.readFileString("README.md")
    for (const [reason, sentence] of Object.entries(reasons)) {
      assert.include(readme, `| ${reason} | ${sentence} |\n`)
    }
  }).pipe(Effect.provide(NodeServices.layer))
)
