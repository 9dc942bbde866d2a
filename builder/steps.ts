/**
 * The steps of a build, each a Nix command: lock the flake, evaluate the
 * package to its derivation, realise that, and, if what came out is a stream
 * script, realise a derivation that runs it. Collecting the store is one too.
 */
import { Clock, Effect, FileSystem, Ref, Schema } from "effect"
import { Failure } from "../lib/oci/result.ts"
import { classify, type Step } from "./classify.ts"
import { orFailure, type Room, watchRoom } from "./disk.ts"
import { killsFor } from "./memory.ts"
import { type Program, runNix } from "./nix.ts"
import { attributeOf, chosenOf, question } from "./package.ts"
import { failedDerivations, isFixedOutput } from "./nix-error.ts"
import { type NixLog, tailOf } from "./nix-log.ts"
import type { BuildSettings } from "./settings.ts"

/** What the steps share: the settings, when the time is over, and what is known while a step runs. */
export interface Build {
  readonly settings: BuildSettings
  readonly deadlineTime: number
  readonly log: Ref.Ref<NixLog>
  /** What is left on the disks that a build writes to. */
  readonly measure: Effect.Effect<Room>
}

const Metadata = Schema.fromJsonString(Schema.Struct({ url: Schema.String }))

/** The flake's URL with revision and hash in it: the same source from here on. */
export const lock = Effect.fn("lock")(function* (build: Build) {
  const command = ["flake", "metadata", "--json", "--no-write-lock-file", "--", build.settings.flakeUrl]
  const stdout = yield* step("lock", "nix", build, command)
  const { url } = yield* Effect.orDie(Schema.decodeEffect(Metadata)(stdout))
  return url
})

/** The package's derivation, and which of its outputs is meant. */
export const evaluate = Effect.fn("evaluate")(function* (build: Build, lockedUrl: string) {
  // The leading dot: this attribute and no other that Nix might look for in its place.
  const installable = `${lockedUrl}#.${attributeOf(build.settings)}`
  const limited = ["--no-write-lock-file", ...(yield* limits(build))]
  const answer = yield* step("evaluate", "nix", build, [
    "eval",
    "--json",
    ...limited,
    "--apply",
    question,
    "--",
    installable
  ])
  return yield* chosenOf(build.settings, answer)
})

/** An output of a derivation, and the name of the root that keeps it from collection. */
export interface Wanted {
  readonly drvPath: string
  readonly output: string
  readonly rootName: string
}

/** The path of the built output. */
export const realise = Effect.fn("realise")(function* (build: Build, { drvPath, output, rootName }: Wanted) {
  const fs = yield* FileSystem.FileSystem
  const roots = build.settings.cache.rootsOf(build.settings.uid)
  yield* fs.makeDirectory(roots, { recursive: true })
  const root = `${roots}/${rootName}`
  // Nix puts the output's name behind the root's.
  const link = output === "out" ? root : `${root}-${output}`
  yield* fs.remove(link, { force: true })
  const wanted = `${drvPath}!${output}`
  yield* step("realise", "nix-store", build, ["--realise", wanted, "--add-root", root, ...(yield* limits(build))])
  return yield* fs.readLink(link)
})

// builtins.storePath gives the derivation the script's whole closure, and nothing else, to read.
const streamExpression = `{ script, system }: derivation {
  name = "streamed-image.tar";
  inherit system;
  script = builtins.storePath script;
  builder = "/bin/sh";
  args = [ "-c" "exec \\"$script\\" > \\"$out\\"" ];
}`

/** The archive that a stream script writes: run in Nix's sandbox, and only once for the same script. */
export const runStreamScript = Effect.fn("runStreamScript")(function* (build: Build, script: string) {
  const values = ["--argstr", "script", script, "--argstr", "system", build.settings.system]
  const root = `${build.settings.cache.rootsOf(build.settings.uid)}/streamed.drv`
  const command = ["--expr", streamExpression, ...values, "--add-root", root]
  const drvPath = yield* step("evaluate", "nix-instantiate", build, command)
  return yield* realise(build, { drvPath, output: "out", rootName: "streamed" })
})

/** Removes store paths that no root keeps: as many as it takes to free `bytes`, or all. */
export const collectStore = Effect.fn("collectStore")(function* (build: Build, bytes: number | undefined) {
  yield* step("collect", "nix", build, [
    "store",
    "gc",
    "--quiet",
    ...(bytes === undefined ? [] : ["--max", String(bytes)])
  ])
})

const step = Effect.fnUntraced(function* (step: Step, program: Program, build: Build, command: ReadonlyArray<string>) {
  const { cgroup } = build.settings
  const before = yield* killsFor(cgroup)
  const { isDiskFull, value: finished } = yield* watchRoom(build.measure, (look) =>
    runNix(program, command, { log: build.log, whenSaid: look })
  ).pipe(Effect.mapError(orFailure("BuildFailed", `${program} could not be run`)))
  if (finished.exitCode === 0) return finished.stdout
  const isOutOfMemory = (yield* killsFor(cgroup)) > before
  const isDownload = yield* isDownloadOf(build, finished.log)
  return yield* classify(step, finished, { isDiskFull, isOutOfMemory, isDownload })
})

/** Whether all that failed to build were downloads. */
const isDownloadOf = Effect.fnUntraced(function* ({ settings: { cache } }: Build, { errors }: NixLog) {
  const fs = yield* FileSystem.FileSystem
  const failed = yield* Effect.forEach(failedDerivations(errors), (path) =>
    Effect.orElseSucceed(fs.readFileString(cache.physical(path)), () => "")
  )
  return failed.length > 0 && failed.every(isFixedOutput)
})

/** Nix's own time limit is for each derivation; the program's is for everything. */
const limits = Effect.fnUntraced(function* ({ deadlineTime, settings }: Build) {
  const leftSeconds = Math.ceil((deadlineTime - (yield* Clock.currentTimeMillis)) / 1000)
  return ["--timeout", String(Math.max(1, leftSeconds)), "--option", "sandbox", String(settings.sandbox)]
})

/** What to say when everything together took too long. */
export const tookTooLong = Effect.fnUntraced(function* ({ log, settings }: Build) {
  return yield* new Failure({
    reason: "TimedOut",
    message: `The build did not end within ${settings.timeoutSeconds} s: find what hangs in the log, or raise spec.timeoutSeconds of the NixBuild and ask for a retry.`,
    log: tailOf(yield* Ref.get(log))
  })
})
