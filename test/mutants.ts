/**
 * `npm run mutants`: plants one mistake at a time in a copy of the sources, and
 * runs the laws, which must fail. A mistake that no law sees shows what the
 * laws don't say.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Option, Path, Schema } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { type Mutant, mutants } from "./mutants-table.ts"

/** What the laws need. */
const copied = ["embedded", "functions", "lib", "test/embedded", "test/memory", "package.json", "vitest.config.ts"]

const laws = ["test/memory", "test/embedded/cache.test.ts"]

const Results = Schema.fromJsonString(
  Schema.Struct({
    testResults: Schema.Array(
      Schema.Struct({
        message: Schema.String,
        assertionResults: Schema.Array(Schema.Struct({ status: Schema.String, fullName: Schema.String }))
      })
    )
  })
)

/** The first law that fails in `directory`, if one does. */
const firstFailure = Effect.fn("firstFailure")(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const output = path.join(directory, "results.json")
  yield* files.remove(output, { force: true })
  const exitCode = yield* spawner
    .exitCode(
      ChildProcess.make(
        path.join(directory, "node_modules/.bin/vitest"),
        [
          "run",
          "--project",
          "laws",
          "--project",
          "unit",
          "--bail",
          "1",
          "--reporter=json",
          `--outputFile=${output}`,
          ...laws
        ],
        { cwd: directory, stdin: "ignore", stdout: "ignore", stderr: "ignore" }
      )
    )
    // A mistake can make a story endless.
    .pipe(Effect.timeoutOption("3 minutes"))
  if (Option.isNone(exitCode)) return Option.some("it never ends")
  if (exitCode.value === 0) return Option.none()
  const { testResults } = yield* Schema.decodeUnknownEffect(Results)(yield* files.readFileString(output))
  const failed = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName)
  )
  // A file that can't even be loaded has no failed test.
  const broken = testResults.map(({ message }) => message).find((message) => message !== "")
  return Option.some(failed[0] ?? `not loaded: ${broken ?? "nobody says why"}`)
})

/** Whether a law saw it. */
const plant = Effect.fn("plant")(function* (directory: string, { file, find, name, replace }: Mutant) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const target = path.join(directory, file)
  const text = yield* files.readFileString(target)
  const [before, after, ...more] = text.split(find)
  if (before === undefined || after === undefined || more.length > 0) {
    yield* Console.log(`NOT PLANTED  ${name}: its text does not stand in ${file} exactly once`)
    return false
  }
  yield* files.writeFileString(target, `${before}${replace}${after}`)
  const failure = yield* firstFailure(directory)
  yield* files.writeFileString(target, text)
  yield* Console.log(Option.isSome(failure) ? `caught       ${name}: ${failure.value}` : `NOT CAUGHT   ${name}`)
  return Option.isSome(failure)
})

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = yield* path.fromFileUrl(new URL("../", import.meta.url))
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "enbi-mutants-" })
  yield* files.makeDirectory(path.join(directory, "test"))
  for (const what of copied) yield* files.copy(path.join(root, what), path.join(directory, what))
  yield* files.symlink(yield* files.realPath(path.join(root, "node_modules")), path.join(directory, "node_modules"))
  const sound = yield* firstFailure(directory)
  if (Option.isSome(sound)) {
    yield* Console.log(`the laws fail without any mutant: ${sound.value}`)
  }
  const wanted = process.argv[2] ?? ""
  const chosen = mutants.filter(({ name }) => name.includes(wanted))
  const caught = yield* Effect.forEach(chosen, (mutant) => plant(directory, mutant))
  const missed = caught.filter((is) => !is).length
  yield* Console.log(`${chosen.length - missed} of ${chosen.length} mutants caught`)
  yield* Effect.sync(() => {
    process.exitCode = missed === 0 && Option.isNone(sound) && chosen.length > 0 ? 0 : 1
  })
}).pipe(Effect.scoped)

NodeRuntime.runMain(program.pipe(Effect.provide(NodeServices.layer)))
