/**
 * The build Job's program: makes of a flake's package an OCI layout on the
 * cache volume, which the import Job then serves to containerd. Its progress
 * is the Job's log, its result the termination message that `importer-status`
 * reads.
 */
import { Clock, Console, Effect, FileSystem, Ref } from "effect"
import { tmpdir } from "node:os"
import { architectureOf } from "../../lib/api/system.ts"
import { convert } from "../../lib/oci/layout.ts"
import { stepLines } from "../../lib/nixbuild/build-steps.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { encodeResult } from "../../lib/nixbuild/termination-message.ts"
import type { Source } from "../../lib/nixbuild/source.ts"
import { enterCache, noteSize } from "../cache/gate.ts"
import { orFailure, roomOn } from "../disk-full.ts"
import { imageFailure } from "../image-failure.ts"
import { runJob } from "../run.ts"
import { forget, resolve } from "./resolve.ts"
import { emptyLog, tailOf } from "./nix-log.ts"
import { findOutput } from "./package-kind.ts"
import { attributeOf } from "./package.ts"
import { packageSetOf } from "./image.ts"
import { buildSettings, terminationLog } from "../settings.ts"
import { trust } from "./trust.ts"
import { type Build, evaluate, realise, runStreamScript, tookTooLong } from "./nix-steps.ts"

const phases = Effect.fn("build")(function* (build: Build) {
  const { cache, system, uid } = build.settings
  yield* enterCache(build)
  const { fetching, source } = yield* resolve(build)
  yield* report(build, source)
  const { lockedInputs, lockedUrl } = source
  yield* Console.log(stepLines.evaluating(attributeIn(build.settings), { url: lockedUrl }))
  const { drvPath, output } = yield* evaluate(build, { url: lockedUrl, inputs: lockedInputs, fetching })
  yield* Console.log(stepLines.building(`${drvPath}^${output}`))
  const storePath = yield* realise(build, { drvPath, output, rootName: "image" })
  const built = yield* Ref.get(build.log)
  const { kind, path } = yield* findOutput(storePath)
  const isScript = kind === "stream script"
  if (isScript) yield* Console.log(stepLines.runningScript(path))
  const archive = isScript ? yield* runStreamScript(build, path) : path
  const streamed = isScript ? yield* Ref.get(build.log) : emptyLog
  yield* Console.log(stepLines.readingImage(archive))
  if (isScript) yield* findOutput(archive)
  const conversion = { archive, layout: cache.layout(uid), architecture: architectureOf(system) }
  const digest = yield* Effect.catchTag(convert(conversion), "ImageError", (error) => Effect.fail(imageFailure(error)))
  yield* Console.log(stepLines.imageReady(digest))
  // The build is done, whatever becomes of a remark, or of what it fetched.
  yield* Effect.ignore(noteSize(build))
  yield* Effect.ignore(forget(build))
  return {
    outcome: "Succeeded" as const,
    ...asReported(source),
    drvPath,
    storePath,
    digest,
    builtDerivations: built.builtDerivations + streamed.builtDerivations,
    fetchedPaths: built.fetchedPaths + streamed.fetchedPaths
  }
}, Effect.scoped)

const attributeIn = ({ system, wanted }: Build["settings"]): string =>
  "image" in wanted ? packageSetOf(system) : attributeOf({ packageName: wanted.packageName, system })

const asReported = ({ lockedInputs, lockedUrl }: Source) =>
  lockedInputs.length === 0 ? { lockedUrl } : { lockedUrl, lockedInputs }

/** From here on the source is known, also if we are killed. */
const report = Effect.fnUntraced(function* (build: Build, source: Source) {
  yield* Ref.set(build.resolved, source)
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(yield* terminationLog, encodeResult({ outcome: "Locked", ...asReported(source) }))
})

/** What the flake was resolved to, and what Nix built before it failed, which tells most of why. */
const withFindings = Effect.fnUntraced(function* (build: Build, { log, message, reason }: Failure) {
  const source = yield* Ref.get(build.resolved)
  return yield* new Failure({
    reason,
    message,
    log: log === "" ? tailOf(yield* Ref.get(build.log)) : log,
    ...(source === undefined ? {} : asReported(source))
  })
})

runJob(
  Effect.gen(function* () {
    const settings = yield* buildSettings
    const deadlineTime = (yield* Clock.currentTimeMillis) + settings.timeoutSeconds * 1000
    const measure = roomOn([settings.cache.root, tmpdir()])
    const resolved = yield* Ref.make<Source | undefined>(undefined)
    const environment = yield* trust(settings)
    const build: Build = { settings, deadlineTime, log: yield* Ref.make(emptyLog), resolved, environment, measure }
    return yield* phases(build).pipe(
      Effect.catchTag("PlatformError", (error) => Effect.fail(orFailure("BuildFailed")(error))),
      // Two seconds more than Nix has: its own words about the derivation that hangs say more than ours.
      Effect.timeoutOrElse({ duration: (settings.timeoutSeconds + 2) * 1000, orElse: () => tookTooLong(build) }),
      Effect.catchTag("Failure", (failure) => withFindings(build, failure))
    )
  }).pipe(Effect.scoped)
)
