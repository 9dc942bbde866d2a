/**
 * The steps of a build, each a Nix command: resolve the flake, evaluate the
 * package to its derivation, realise that, and, if what came out is a stream
 * script, realise a derivation that runs it. Collecting the store is one too.
 */
import { Clock, Effect, FileSystem, Ref, Schema } from "effect"
import type { LockedInput } from "../../lib/api/nixbuild.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import type { Source } from "../../lib/nixbuild/source.ts"
import { classify, type Step } from "./classify.ts"
import { withClosed } from "./closed.ts"
import { orFailure, type Room, watchRoom } from "../disk-full.ts"
import { killsFor } from "./memory.ts"
import { type Program, runNix } from "./nix.ts"
import { whatIsGone } from "./gone.ts"
import { Locks } from "./inputs.ts"
import { imageIn, packageSetOf, questionOf } from "./image.ts"
import { attributeOf, chosenOf, question as packageQuestion } from "./package.ts"
import { failedDerivations, isFixedOutput } from "./nix-error.ts"
import { type NixLog, tailOf } from "./nix-log.ts"
import type { BuildSettings } from "../settings.ts"

/** What the steps share: the settings, when the time is over, and what is known while a step runs. */
export interface Build {
  readonly settings: BuildSettings
  readonly deadlineTime: number
  readonly log: Ref.Ref<NixLog>
  /** What the flake was resolved to, once it is known. */
  readonly resolved: Ref.Ref<Source | undefined>
  /** The environment of Nix and of all that it runs, beside our own. */
  readonly environment: Readonly<Record<string, string>>
  /** What is left on the disks that a build writes to. */
  readonly measure: Effect.Effect<Room>
}

/** Where Nix keeps what it fetches, and whether it asks if there is something newer. */
export interface Fetching {
  /** undefined: where it does for all builds of the volume. */
  readonly cacheHome: string | undefined
  readonly isAsking: boolean
}

/** A flake, and what to take in the place of some of its inputs. */
export interface Flake {
  readonly url: string
  readonly inputs: ReadonlyArray<LockedInput>
  readonly fetching: Fetching
}

const flakeOptions = ({ fetching, inputs }: Flake): ReadonlyArray<string> => [
  "--no-write-lock-file",
  ...inputs.flatMap(({ name, url }) => ["--override-input", name, url]),
  // Else Nix asks again after an hour, and what is of one attempt may be of another time.
  "--option",
  "tarball-ttl",
  fetching.isAsking ? "0" : "4294967295"
]

const Metadata = Schema.fromJsonString(
  Schema.Struct({
    url: Schema.String,
    path: Schema.String,
    resolved: Schema.optionalKey(Schema.Struct({ dir: Schema.optionalKey(Schema.String) })),
    locks: Locks
  })
)

/** What a flake is resolved to: its URL with revision or hash in it, where it is in the store, its inputs. */
export const metadata = Effect.fn("metadata")(function* (build: Build, flake: Flake) {
  const command = ["flake", "metadata", "--json", ...flakeOptions(flake), "--", flake.url]
  const stdout = yield* runStep("lock", "nix", build, { command, fetching: flake.fetching })
  return yield* Effect.orDie(Schema.decodeEffect(Metadata)(stdout))
})

/** The derivation of the image, and which of its outputs is meant. */
export const evaluate = Effect.fn("evaluate")(function* (build: Build, flake: Flake) {
  const { system, wanted } = build.settings
  if ("image" in wanted) {
    const attribute = packageSetOf(system)
    const answer = yield* ask(build, flake, { attribute, question: questionOf(wanted.image, system) }).pipe(
      Effect.mapError((failure) => (failure.reason === "AttributeMissing" ? noPackageSet(attribute, failure) : failure))
    )
    return yield* imageIn(system, answer)
  }
  const asked = { packageName: wanted.packageName, system }
  return yield* chosenOf(asked, yield* ask(build, flake, { attribute: attributeOf(asked), question: packageQuestion }))
})

const noPackageSet = (attribute: string, { log }: Failure) =>
  new Failure({
    reason: "AttributeMissing",
    message: `The flake is no package set: it has no ${attribute}. Use one that has, as github:NixOS/nixpkgs.`,
    log
  })

/** What a function of Nix answers of the value of an attribute. */
const ask = Effect.fnUntraced(function* (
  build: Build,
  flake: Flake,
  { attribute, question }: { readonly attribute: string; readonly question: string }
) {
  // What Nix remembers of evaluations is their failures too.
  const options = [...flakeOptions(flake), ...(yield* limits(build)), "--option", "eval-cache", "false"]
  // The leading dot: this attribute and no other that Nix might look for in its place.
  const command = ["eval", "--json", ...options, "--apply", question, "--", `${flake.url}#.${attribute}`]
  return yield* runStep("evaluate", "nix", build, { command, fetching: flake.fetching })
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
  const command = ["--realise", wanted, "--add-root", root, ...(yield* limits(build))]
  yield* runStep("realise", "nix-store", build, { command })
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
  const drvPath = yield* runStep("evaluate", "nix-instantiate", build, { command })
  return yield* realise(build, { drvPath, output: "out", rootName: "streamed" })
})

/** Removes store paths that no root keeps: as many as it takes to free `bytes`, or all. */
export const collectStore = Effect.fn("collectStore")(function* (build: Build, bytes: number | undefined) {
  const command = ["store", "gc", "--quiet", ...(bytes === undefined ? [] : ["--max", String(bytes)])]
  yield* runStep("collect", "nix", build, { command })
})

interface Command {
  readonly command: ReadonlyArray<string>
  readonly fetching?: Fetching
}

const runStep = Effect.fnUntraced(function* (
  step: Step,
  program: Program,
  build: Build,
  { command, fetching }: Command
) {
  const { cgroup } = build.settings
  const before = yield* killsFor(cgroup)
  const { cacheHome } = fetching ?? {}
  const environment = { ...build.environment, ...(cacheHome === undefined ? {} : { XDG_CACHE_HOME: cacheHome }) }
  const { isDiskFull, value: finished } = yield* watchRoom(build.measure, (look) =>
    runNix(program, command, { log: build.log, whenSaid: look, environment })
  ).pipe(Effect.mapError(orFailure("BuildFailed", `${program} could not be run`)))
  if (finished.exitCode === 0) return finished.stdout
  const isOutOfMemory = (yield* killsFor(cgroup)) > before
  const isDownload = yield* isDownloadOf(build, finished.log)
  const gone = build.settings.source === undefined ? undefined : whatIsGone(build.settings.source, finished.log)
  const failure = gone ?? classify(step, finished, { isDiskFull, isOutOfMemory, isDownload })
  const explained = yield* withClosed(build.settings.closed, failure, finished.log)
  return yield* explained
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
    message: `The build did not finish within ${settings.timeoutSeconds} s. Look in the log for what hangs, or raise spec.timeoutSeconds of the NixBuild and request a retry.`,
    log: tailOf(yield* Ref.get(log))
  })
})
