/** `npm run generate`: writes every file that is made of the code. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Path } from "effect"
import { generated, left } from "./files.ts"

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const made = yield* generated
  for (const [path, text] of Object.entries(made)) {
    yield* files.makeDirectory(paths.dirname(path), { recursive: true })
    yield* files.writeFileString(path, text)
    yield* Console.log(`wrote ${path}`)
  }
  for (const path of yield* left(made)) {
    yield* files.remove(path)
    yield* Console.log(`removed ${path}`)
  }
})

NodeRuntime.runMain(program.pipe(Effect.provide(NodeServices.layer)))
