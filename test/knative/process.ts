/**
 * What the stand-ins have in common as processes: their settings come from the
 * environment, their first line on standard output ends with their URL, and
 * SIGTERM ends them with code 0.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Config, Console, Effect, Exit, FileSystem, Layer, Logger, Path, Schema, type Scope } from "effect"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { Panicked } from "./deliver-to.ts"
import { readManifests } from "./manifests.ts"
import { Wait } from "./time.ts"

const Urls = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

/** Settings of both. */
export const settings = Config.all({
  /** YAML files, separated by blanks; absent: all of `eventing/`. */
  manifests: Config.String("MANIFESTS").pipe(Config.withDefault("")),
  /** Where objects are whose manifests do not say it. */
  namespace: Config.String("NAMESPACE").pipe(Config.withDefault(systemNamespace)),
  /** A JSON object: the URL of each Service that Triggers refer to, by its name. */
  services: Config.schema(Urls, "SUBSCRIBERS").pipe(Config.withDefault<Readonly<Record<string, string>>>({})),
  /** On loopback; 0 is one that is free. */
  port: Config.Int("PORT").pipe(Config.withDefault(0)),
  /** Back-offs and time-outs take this many times as long as in Knative. */
  timeScale: Config.Finite("TIME_SCALE").pipe(Config.withDefault(1))
})
export type Settings = Config.Success<typeof settings>

/** The manifests that the settings name. */
export const manifestsOf = Effect.fnUntraced(function* ({ manifests, namespace, services }: Settings) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* path.fromFileUrl(new URL("../../eventing/", import.meta.url))
  const names =
    manifests === ""
      ? (yield* files.readDirectory(directory))
          .filter((name) => name.endsWith(".yaml"))
          .map((name) => path.join(directory, name))
      : manifests.split(/\s+/)
  const texts = yield* Effect.forEach(names, (name) => files.readFileString(name))
  return yield* readManifests(texts, { namespace, services })
})

/** Told once, when it answers. */
export const announce = (url: string) => Console.log(`listening on ${url}`)

/** Code 2 is what a Go program ends with when it panics. */
const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return 0
  return Cause.squash(exit.cause) instanceof Panicked ? 2 : 1
}

/** Runs until it fails or the process is told to end. */
export const runProcess = <E>(
  program: (settings: Settings) => Effect.Effect<void, E, NodeServices.NodeServices | Scope.Scope>
) =>
  NodeRuntime.runMain(
    Effect.gen(function* () {
      const read = yield* settings
      yield* program(read).pipe(
        Effect.provideService(Wait, (millis) => Effect.sleep(millis * read.timeScale)),
        Effect.scoped
      )
    }).pipe(
      Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal("stopped", cause))),
      Effect.provide(Layer.merge(NodeServices.layer, Logger.layer([Logger.consoleJson])))
    ),
    { disableErrorReporting: true, teardown: (exit, done) => done(codeOf(exit)) }
  )
