/**
 * Bundles what goes into the two images: `dist/functions` has the folders of
 * the sources, so that functions are found there as they are here, and each
 * function once more as a program of its own, `functions/<name>.js`;
 * `dist/builder` has one file for each Job.
 */
import { Effect, FileSystem, Path, Schema } from "effect"
import { type Plugin, rolldown } from "rolldown"
import type { Program } from "../lib/nixbuild/job-contract.ts"

const sources: Readonly<Record<Program, string>> = {
  build: "build/build.ts",
  import: "import/import.ts",
  pull: "pull/pull.ts",
  "prepare-volume": "cache/prepare-volume.ts",
  publish: "publish/publish.ts",
  "remove-volume": "cache/remove-volume.ts"
}

export class BundleFailed extends Schema.TaggedError<BundleFailed>()("BundleFailed", {
  message: Schema.String,
  cause: Schema.Defect()
}) {}

// Kubeconfigs are for processes outside of the cluster, so the images do without what reads them.
const external = ["@kubernetes/client-node"]

const write = (input: Record<string, string>, dir: string) =>
  Effect.tryPromise({
    try: () =>
      rolldown({ input, external, platform: "node", logLevel: "warn" })
        .then((bundle) => bundle.write({ dir, format: "esm", cleanDir: true }))
        .then(() => undefined),
    catch: (cause) => new BundleFailed({ message: `The sources could not be bundled into ${dir}.`, cause })
  })

const programs = {
  function: `
    import { realpathSync } from "node:fs"
    import { makeHandle } from "../../lib/server/func.ts"
    import { serve } from "../../lib/server/main.ts"
    import definition from "./function.ts"
    const isStarted = process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename
    export const { handle, init, shutdown } = isStarted ? {} : makeHandle(definition)
    if (isStarted) serve(definition)
  `,
  server: `
    import { runServer } from "../../lib/server/run-server.ts"
    import definition from "./server.ts"
    runServer(definition)
  `
}

const kindOfDefinition = Effect.fnUntraced(function* (root: string, name: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return (yield* files.exists(path.join(root, "functions", name, "server.ts"))) ? "server" : "function"
})

/**
 * Bundles the program of one function or server into `file`; a function's is
 * its own server when it is started, and `handle` for func's runtime, which
 * imports it. There is no source of it, since all are the same but for their
 * names.
 */
export const bundleProgram = Effect.fnUntraced(function* (root: string, name: string, file: string) {
  const path = yield* Path.Path
  const id = path.resolve(root, "functions", name, "program.js")
  const code = programs[yield* kindOfDefinition(root, name)]
  const program: Plugin = {
    name: "program",
    resolveId: (source) => (source === id ? id : undefined),
    load: (source) => (source === id ? code : undefined)
  }
  yield* Effect.tryPromise({
    try: () =>
      rolldown({ input: id, external, plugins: [program], platform: "node", logLevel: "warn" })
        .then((bundle) => bundle.write({ file, format: "esm", codeSplitting: false }))
        .then(() => undefined),
    catch: (cause) => new BundleFailed({ message: `The function ${name} could not be bundled into ${file}.`, cause })
  })
})

export const bundle = Effect.fn("bundle")(function* (root: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* files.readDirectory(path.join(root, "functions"))
  yield* write(
    Object.fromEntries([
      ["embedded/main", path.join(root, "embedded/main.ts")],
      ["eventing/dead-letter", path.join(root, "eventing/dead-letter.ts")],
      ...(yield* Effect.forEach(names, (name) =>
        Effect.map(kindOfDefinition(root, name), (kind) => [
          `functions/${name}/${kind}`,
          path.join(root, `functions/${name}/${kind}.ts`)
        ])
      ))
    ]),
    path.join(root, "dist/functions")
  )
  yield* files.makeDirectory(path.join(root, "dist/functions/eventing"), { recursive: true })
  yield* files.copyFile(
    path.join(root, "eventing/triggers.yaml"),
    path.join(root, "dist/functions/eventing/triggers.yaml")
  )
  yield* Effect.forEach(names, (name) =>
    bundleProgram(root, name, path.join(root, `dist/functions/functions/${name}.js`))
  )
  yield* files.writeFileString(path.join(root, "dist/functions/package.json"), '{ "type": "module" }\n')
  yield* write(
    Object.fromEntries(Object.entries(sources).map(([program, source]) => [program, path.join(root, "jobs", source)])),
    path.join(root, "dist/builder")
  )
  yield* files.writeFileString(path.join(root, "dist/builder/package.json"), '{ "type": "module" }\n')
})
