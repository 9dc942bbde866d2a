/** What is checked in and made of the code is what the code makes. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { generated, left } from "../generate/files.ts"

it.effect("generated files are current; if not: npm run generate", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const made = yield* generated
    for (const [path, text] of Object.entries(made)) {
      assert.strictEqual(yield* files.readFileString(path), text, `${path} is not what \`npm run generate\` writes`)
    }
    assert.deepStrictEqual(yield* left(made), [], "was made once")
  }).pipe(Effect.provide(NodeServices.layer))
)
