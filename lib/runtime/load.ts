/** Every function and server that has a folder below `functions/`: there is no list to keep. */
import { Effect, FileSystem, Path, Predicate, Schema } from "effect"
import { type Definition, functionsAmong } from "./definition.ts"

export class DefinitionUnreadable extends Schema.TaggedError<DefinitionUnreadable>()("DefinitionUnreadable", {
  name: Schema.String,
  cause: Schema.Defect()
}) {}

const isDefinition = (value: unknown): value is Definition =>
  Predicate.hasProperty(value, "permissions") &&
  ((Predicate.hasProperty(value, "observe") && Predicate.hasProperty(value, "decide")) ||
    (Predicate.hasProperty(value, "ports") && Predicate.hasProperty(value, "layer")))

/** `directory` holds one folder for each; in the images its files end in .js. */
export const loadDefinitions = Effect.fn("loadDefinitions")(function* (directory: URL) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = yield* path.fromFileUrl(directory)
  // In the images each has a program beside its folder.
  const names = (yield* files.readDirectory(root)).filter((name) => !name.endsWith(".js")).toSorted()
  return yield* Effect.forEach(names, (name) =>
    Effect.gen(function* () {
      const sources = yield* files.readDirectory(path.join(root, name))
      const file = sources.find((source) => /^(?:function|server)\.[jt]s$/.test(source))
      const missing = "it has neither function.ts nor server.ts"
      if (file === undefined) return yield* new DefinitionUnreadable({ name, cause: missing })
      const loaded: unknown = yield* Effect.tryPromise({
        try: () => import(new URL(`${name}/${file}`, directory).href),
        catch: (cause) => new DefinitionUnreadable({ name, cause })
      })
      const definition = Predicate.hasProperty(loaded, "default") ? loaded.default : undefined
      return isDefinition(definition)
        ? definition
        : yield* new DefinitionUnreadable({ name, cause: `${file} exports no definition as default` })
    })
  )
})

/** Those that listen to events. */
export const loadFunctions = (directory: URL) => Effect.map(loadDefinitions(directory), functionsAmong)
