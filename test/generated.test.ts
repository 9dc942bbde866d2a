/** What is checked in and made of the code is what the code makes. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { generated } from "../lib/generate/files.ts"

it.effect("generated files are current; if not: npm run generate", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    for (const [path, text] of Object.entries(yield* generated)) {
      assert.strictEqual(yield* files.readFileString(path), text, `${path} is not what \`npm run generate\` writes`)
    }
  }).pipe(Effect.provide(NodeServices.layer))
)
