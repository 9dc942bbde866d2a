/**
 * How a Job's program ends: with its result as the termination message, and
 * exit code 0 or 1 so that Kubernetes sees success or failure too.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem } from "effect"
import {
  type BuildResult,
  Failure,
  type ImportResult,
  type JobFailed,
  type PullResult
} from "../lib/nixbuild/job-result.ts"
import { encodeResult } from "../lib/nixbuild/termination-message.ts"
import { terminationLog } from "./settings.ts"

/** Runs `program` and reports how it ended. */
export const runJob = <E extends Failure | { readonly _tag: string; readonly message: string }>(
  program: Effect.Effect<BuildResult | ImportResult | PullResult, E, NodeServices.NodeServices>
): void =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const result = yield* Effect.catch(program, (error) =>
      error instanceof Failure ? Effect.succeed(failed(error)) : Effect.die(error)
    )
    if (result.outcome === "Failed") yield* Console.log(`${result.reason}: ${result.message}`)
    yield* fs.writeFileString(yield* terminationLog, encodeResult(result))
    return result.outcome
  }).pipe(
    Effect.provide(NodeServices.layer),
    Effect.flatMap((outcome) => (outcome === "Failed" ? Effect.sync(() => (process.exitCode = 1)) : Effect.void)),
    NodeRuntime.runMain
  )

const failed = ({ lockedInputs, lockedUrl, log, message, reason }: Failure): typeof JobFailed.Type => ({
  outcome: "Failed",
  reason,
  message,
  log,
  ...(lockedUrl === undefined ? {} : { lockedUrl }),
  ...(lockedInputs === undefined ? {} : { lockedInputs })
})
