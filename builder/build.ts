/**
 * The build Job's program: makes of a flake's package an OCI layout on the
 * cache volume, which the import Job then serves to containerd. Its progress
 * is the Job's log, its result the termination message that `importer-status`
 * reads.
 */
import { Clock, Console, Effect, Ref } from "effect"
import { tmpdir } from "node:os"
import { architectureOf } from "../lib/api/system.ts"
import { convert } from "../lib/oci/layout.ts"
import { Failure } from "../lib/oci/result.ts"
import { enterCache, noteSize } from "./collect.ts"
import { orFailure, roomOn } from "./disk.ts"
import { runJob } from "./job.ts"
import { emptyLog, tailOf } from "./nix-log.ts"
import { findOutput } from "./output.ts"
import { attributeOf } from "./package.ts"
import { buildSettings } from "./settings.ts"
import { type Build, evaluate, lock, realise, runStreamScript, tookTooLong } from "./steps.ts"

const phases = Effect.fn("build")(function* (build: Build) {
  const { cache, system, uid } = build.settings
  yield* enterCache(build)
  yield* Console.log(`fetching ${build.settings.flakeUrl}`)
  const lockedUrl = yield* lock(build)
  yield* Console.log(`evaluating ${attributeOf(build.settings)} of ${lockedUrl}`)
  const { drvPath, output } = yield* evaluate(build, lockedUrl)
  yield* Console.log(`building ${drvPath}^${output}`)
  const storePath = yield* realise(build, { drvPath, output, rootName: "image" })
  const built = yield* Ref.get(build.log)
  const { kind, path } = yield* findOutput(storePath)
  const isScript = kind === "stream script"
  if (isScript) yield* Console.log(`running ${path}`)
  const archive = isScript ? yield* runStreamScript(build, path) : path
  const streamed = isScript ? yield* Ref.get(build.log) : emptyLog
  yield* Console.log(`reading the image from ${archive}`)
  if (isScript) yield* findOutput(archive)
  const digest = yield* convert({ archive, layout: cache.layout(uid), architecture: architectureOf(system) })
  yield* Console.log(`image ${digest} is ready to be imported`)
  // The build is done, whatever becomes of a remark.
  yield* Effect.ignore(noteSize(build))
  return {
    outcome: "Succeeded" as const,
    lockedUrl,
    drvPath,
    storePath,
    digest,
    builtDerivations: built.builtDerivations + streamed.builtDerivations,
    fetchedPaths: built.fetchedPaths + streamed.fetchedPaths
  }
}, Effect.scoped)

/** What Nix built before it failed tells most of why. */
const withLog = Effect.fnUntraced(function* (build: Build, failure: Failure) {
  const log = failure.log === "" ? tailOf(yield* Ref.get(build.log)) : failure.log
  return yield* new Failure({ reason: failure.reason, message: failure.message, log })
})

runJob(
  Effect.gen(function* () {
    const settings = yield* buildSettings
    const deadlineTime = (yield* Clock.currentTimeMillis) + settings.timeoutSeconds * 1000
    const measure = roomOn([settings.cache.root, tmpdir()])
    const build: Build = { settings, deadlineTime, log: yield* Ref.make(emptyLog), measure }
    return yield* phases(build).pipe(
      Effect.catchTag("PlatformError", (error) => Effect.fail(orFailure("BuildFailed")(error))),
      // Two seconds more than Nix has: its own words about the derivation that hangs say more than ours.
      Effect.catchTag("Failure", (failure) => withLog(build, failure)),
      Effect.timeoutOrElse({ duration: (settings.timeoutSeconds + 2) * 1000, orElse: () => tookTooLong(build) })
    )
  })
)
