/** Every function that has a folder below `functions/`: there is no list to keep. */
import { Effect, FileSystem, Path, Schema } from "effect"
import type { EnbiFunction } from "./function.ts"

export class FunctionUnreadable extends Schema.TaggedError<FunctionUnreadable>()("FunctionUnreadable", {
  name: Schema.String,
  cause: Schema.Defect()
}) {}

const isFunction = (value: unknown): value is EnbiFunction<unknown> =>
  typeof value === "object" && value !== null && "observe" in value && "decide" in value && "on" in value

/** `directory` holds one folder for each; in the images its files end in .js. */
export const loadFunctions = Effect.fn("loadFunctions")(function* (directory: URL) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = yield* path.fromFileUrl(directory)
  // In the images each has a program beside its folder.
  const names = (yield* files.readDirectory(root)).filter((name) => !name.endsWith(".js")).toSorted()
  return yield* Effect.forEach(names, (name) =>
    Effect.gen(function* () {
      const sources = yield* files.readDirectory(path.join(root, name))
      const file = sources.includes("function.ts") ? "function.ts" : "function.js"
      const loaded: unknown = yield* Effect.tryPromise({
        try: () => import(new URL(`${name}/${file}`, directory).href),
        catch: (cause) => new FunctionUnreadable({ name, cause })
      })
      const definition =
        typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined
      return isFunction(definition)
        ? definition
        : yield* new FunctionUnreadable({ name, cause: "function.ts exports no function as default" })
    })
  )
})
