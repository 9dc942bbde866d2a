/**
 * The steps of a build, each a Nix command: lock the flake, evaluate the
 * package to its derivation, realise that, and, if what came out is a stream
 * script, realise a derivation that runs it. Collecting the store is one too.
 */
import { Clock, Effect, FileSystem, Ref, Schema } from "effect"
import { Failure } from "../lib/oci/result.ts"
import { classify, type Step } from "./classify.ts"
import { orFailure } from "./disk.ts"
import { runNix } from "./nix.ts"
import { type NixLog, tailOf } from "./nix-log.ts"
import type { BuildSettings } from "./settings.ts"

/** What the steps share: the settings, when the time is over, and what is known while a step runs. */
export interface Build {
  readonly settings: BuildSettings
  readonly deadlineTime: number
  readonly log: Ref.Ref<NixLog>
}

const Metadata = Schema.fromJsonString(Schema.Struct({ url: Schema.String }))

/** The flake's URL with revision and hash in it: the same source from here on. */
export const lock = Effect.fn("lock")(function* (build: Build) {
  const command = ["flake", "metadata", "--json", "--no-write-lock-file", "--", build.settings.flakeUrl]
  const stdout = yield* step("lock", "nix", build, command)
  const { url } = yield* Effect.orDie(Schema.decodeEffect(Metadata)(stdout))
  return url
})

/** The path of the package's derivation. */
export const evaluate = Effect.fn("evaluate")(function* (build: Build, lockedUrl: string) {
  const { packageName, system } = build.settings
  // The leading dot: this attribute and no other that Nix might look for in its place.
  const installable = `${lockedUrl}#.packages.${system}.${packageName}.drvPath`
  const command = ["eval", "--raw", "--no-write-lock-file", ...(yield* limits(build)), "--", installable]
  const drvPath = yield* step("evaluate", "nix", build, command)
  if (!/^\/nix\/store\/[^/]+\.drv$/u.test(drvPath)) {
    return yield* new Failure({
      reason: "AttributeMissing",
      message: `packages.${system}.${packageName} is no derivation: check spec.packageName.`,
      log: ""
    })
  }
  return drvPath
})

/** The path of the built output, which a root named `rootName` keeps from collection. */
export const realise = Effect.fn("realise")(function* (
  build: Build,
  { drvPath, rootName }: { readonly drvPath: string; readonly rootName: string }
) {
  const fs = yield* FileSystem.FileSystem
  const roots = build.settings.cache.rootsOf(build.settings.uid)
  yield* fs.makeDirectory(roots, { recursive: true })
  const root = `${roots}/${rootName}`
  yield* fs.remove(root, { force: true })
  yield* step("realise", "nix-store", build, ["--realise", drvPath, "--add-root", root, ...(yield* limits(build))])
  return yield* fs
    .readLink(root)
    .pipe(
      Effect.mapError(
        () => new Failure({ reason: "NotAnImage", message: "The package has no output named out.", log: "" })
      )
    )
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
  return yield* realise(build, { drvPath, rootName: "streamed" })
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

const step = Effect.fnUntraced(function* (
  step: Step,
  program: Parameters<typeof runNix>[0],
  build: Build,
  command: ReadonlyArray<string>
) {
  const { exitCode, log, stdout } = yield* runNix(program, command, build.log).pipe(
    Effect.mapError(orFailure("BuildFailed", `${program} could not be run`))
  )
  return exitCode === 0 ? stdout : yield* classify(step, exitCode, log)
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
