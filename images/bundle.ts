/**
 * Bundles what goes into the two images: `dist/functions` has the folders of
 * the sources, so that functions are found there as they are here, and
 * `dist/builder` one file for each Job.
 */
import { Effect, FileSystem, Path, Schema } from "effect"
import { rolldown } from "rolldown"

export class BundleFailed extends Schema.TaggedError<BundleFailed>()("BundleFailed", {
  message: Schema.String,
  cause: Schema.Defect()
}) {}

const write = (input: Record<string, string>, dir: string) =>
  Effect.tryPromise({
    try: () =>
      rolldown({ input, platform: "node", logLevel: "warn" })
        .then((bundle) => bundle.write({ dir, format: "esm", cleanDir: true }))
        .then(() => undefined),
    catch: (cause) => new BundleFailed({ message: `The sources could not be bundled into ${dir}.`, cause })
  })

export const bundle = Effect.fn("bundle")(function* (root: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* files.readDirectory(path.join(root, "functions"))
  yield* write(
    Object.fromEntries([
      ["embedded/main", path.join(root, "embedded/main.ts")],
      ["eventing/dead-letter", path.join(root, "eventing/dead-letter.ts")],
      ...names.map((name) => [`functions/${name}/function`, path.join(root, `functions/${name}/function.ts`)])
    ]),
    path.join(root, "dist/functions")
  )
  yield* files.makeDirectory(path.join(root, "dist/functions/eventing"), { recursive: true })
  yield* files.copyFile(
    path.join(root, "eventing/triggers.yaml"),
    path.join(root, "dist/functions/eventing/triggers.yaml")
  )
  yield* files.writeFileString(path.join(root, "dist/functions/package.json"), '{ "type": "module" }\n')
  yield* write(
    Object.fromEntries(
      ["build", "import", "prepare-volume", "remove-volume"].map((name) => [
        name,
        path.join(root, `builder/${name}.ts`)
      ])
    ),
    path.join(root, "dist/builder")
  )
  yield* files.writeFileString(path.join(root, "dist/builder/package.json"), '{ "type": "module" }\n')
})
