/** `npm run generate`: writes every file that is made of the code. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem } from "effect"
import { generated } from "./files.ts"

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  for (const [path, text] of Object.entries(yield* generated)) {
    yield* files.writeFileString(path, text)
    yield* Console.log(`wrote ${path}`)
  }
})

NodeRuntime.runMain(program.pipe(Effect.provide(NodeServices.layer)))
