/**
 * Bundles what goes into the two images: `dist/functions` has the folders of
 * the sources, so that functions are found there as they are here, and each
 * function once more as a program of its own, `functions/<name>.js`;
 * `dist/builder` has one file for each Job.
 */
import { Effect, FileSystem, Path, Schema } from "effect"
import { type InputOptions, type OutputOptions, rolldown } from "rolldown"

export class BundleFailed extends Schema.TaggedError<BundleFailed>()("BundleFailed", {
  message: Schema.String,
  cause: Schema.Defect()
}) {}

const write = (options: InputOptions, output: OutputOptions) =>
  Effect.tryPromise({
    try: () =>
      rolldown({ platform: "node", logLevel: "warn", ...options })
        .then((bundle) => bundle.write({ format: "esm", ...output }))
        .then(() => undefined),
    catch: (cause) =>
      new BundleFailed({ message: `The sources could not be bundled into ${output.dir ?? output.file}.`, cause })
  })

/** The program of one function, which has no source file: all are the same but for their names. */
const programOf = (root: string, name: string): InputOptions => {
  const id = `${root}/functions/${name}/program.js`
  const code = `
    import { realpathSync } from "node:fs"
    import { makeHandle } from "${root}/lib/server/handle.ts"
    import { serve } from "${root}/lib/server/main.ts"
    import definition from "${root}/functions/${name}/function.ts"
    const isProgram = process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename
    // func's runtime imports this file for its handle, and then serves by itself.
    export const { handle, init, shutdown } = isProgram ? {} : makeHandle(definition)
    if (isProgram) serve(definition)
  `
  const resolveId = (source: string) => (source === id ? id : undefined)
  const load = (source: string) => (source === id ? code : undefined)
  return { input: id, plugins: [{ name: "program", resolveId, load }] }
}

/** Bundles the program of one function into `file`. */
export const bundleProgram = Effect.fnUntraced(function* (root: string, name: string, file: string) {
  const path = yield* Path.Path
  yield* write(programOf(path.resolve(root), name), { file, codeSplitting: false })
})

export const bundle = Effect.fn("bundle")(function* (root: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* files.readDirectory(path.join(root, "functions"))
  const dir = path.join(root, "dist/functions")
  const input = Object.fromEntries([
    ["embedded/main", path.join(root, "embedded/main.ts")],
    ...names.map((name) => [`functions/${name}/function`, path.join(root, `functions/${name}/function.ts`)])
  ])
  yield* write({ input }, { dir, cleanDir: true })
  yield* Effect.forEach(names, (name) => bundleProgram(root, name, path.join(dir, `functions/${name}.js`)))
  yield* files.makeDirectory(path.join(dir, "eventing"))
  yield* files.copyFile(path.join(root, "eventing/triggers.yaml"), path.join(dir, "eventing/triggers.yaml"))
  yield* files.writeFileString(path.join(dir, "package.json"), '{ "type": "module" }\n')
  const jobs = ["build", "import", "prepare-volume", "remove-volume"]
  yield* write(
    { input: Object.fromEntries(jobs.map((name) => [name, path.join(root, `builder/${name}.ts`)])) },
    { dir: path.join(root, "dist/builder"), cleanDir: true }
  )
  yield* files.writeFileString(path.join(root, "dist/builder/package.json"), '{ "type": "module" }\n')
})
