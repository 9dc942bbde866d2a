/** `npm test`: the checks, then all tests; the last line counts them. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Schema } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

const results = ".vitest/results.json"

const Results = Schema.fromJsonString(
  Schema.Struct({
    success: Schema.Boolean,
    numPassedTests: Schema.Int,
    numFailedTests: Schema.Int,
    numFailedTestSuites: Schema.Int
  })
)

const run = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    return yield* spawner.exitCode(
      ChildProcess.make(command, args, { stdin: "ignore", stdout: "inherit", stderr: "inherit" })
    )
  })

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  yield* files.remove(results, { force: true })
  const check = yield* run("npm", "run", "--silent", "check")
  const tests = yield* run(
    "vitest",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${results}`,
    ...process.argv.slice(2)
  )
  const told = yield* files.readFileString(results).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Results)),
    // vitest ended before it could write: that is one failure too.
    Effect.orElseSucceed(() => ({ success: false, numPassedTests: 0, numFailedTests: 1, numFailedTestSuites: 0 }))
  )
  // A file that can't be loaded, or a set-up that fails, has no failed test to count.
  const unaccounted = tests !== 0 && told.numFailedTests === 0 ? 1 : 0
  const failed = told.numFailedTests + unaccounted + (check === 0 ? 0 : 1)
  yield* Console.log(`\n${told.numPassedTests + (check === 0 ? 1 : 0)} passed, ${failed} failed`)
  yield* Effect.sync(() => {
    process.exitCode = failed === 0 ? 0 : 1
  })
})

NodeRuntime.runMain(program.pipe(Effect.provide(NodeServices.layer)))
