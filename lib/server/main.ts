/**
 * One function as a process of its own, as Knative Serving or a plain
 * Deployment runs it: `node /app/functions/<name>.js`. It listens on `PORT`,
 * reads the cluster each time it looks, and on SIGTERM ends what it began.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Config, Effect, Exit, Layer, Logger, Option, References } from "effect"
import { HttpRouter } from "effect/http"
import { parseArgs } from "node:util"
import { layerLive } from "../cluster.ts"
import { DecisionsFile } from "../decisions-file.ts"
import type { EnbiFunction } from "../function.ts"
import { KubernetesApi } from "../kube/api.ts"
import { Settings } from "../settings.ts"
import { Traces } from "../traces/traces.ts"
import { DrainingServer } from "./draining-server.ts"
import { Receiver } from "./receiver.ts"
import { routes } from "./routes.ts"

const makeServer = () =>
  new DrainingServer({
    // Knative's senders close idle connections after 90 s. If we did so first, an event could meet a closing one.
    keepAliveTimeout: 120_000,
    // An event that comes in slowly holds a place that others wait for.
    requestTimeout: 30_000
  })

// Serving sets PORT, func FUNC_PORT.
const port = Config.all([
  Config.Port("PORT").pipe(Config.option),
  Config.Port("FUNC_PORT").pipe(Config.withDefault(8080))
]).pipe(Config.map(([port, funcPort]) => Option.getOrElse(port, () => funcPort)))

const Server = Layer.unwrap(
  Effect.map(port, (port) =>
    HttpRouter.serve(routes, { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(makeServer, { port }))
    )
  )
)

const logger = Logger.layer([Logger.consoleJson])

const logLevel = Layer.effect(References.MinimumLogLevel, Config.LogLevel("LOG_LEVEL").pipe(Config.withDefault("Info")))

/** What a function stands on, whoever calls it. */
export const services = (definition: EnbiFunction<unknown>, nodeRepel: ReadonlyArray<string> = []) =>
  Receiver.layer(definition).pipe(
    Layer.provideMerge(layerLive),
    Layer.provideMerge(
      Layer.mergeAll(KubernetesApi.layer, Settings.layer(nodeRepel), DecisionsFile.layer, Traces.layer(definition.name))
    ),
    Layer.provideMerge(NodeServices.layer),
    Layer.provideMerge(logLevel),
    Layer.provideMerge(logger)
  )

/** Runs until SIGTERM. */
export const serve = (definition: EnbiFunction<unknown>): void => {
  const { values } = parseArgs({ options: { "node-repel": { type: "string", multiple: true, default: [] } } })
  const program = Layer.launch(Server.pipe(Layer.provide(services(definition, values["node-repel"]))))
  NodeRuntime.runMain(
    program.pipe(
      Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal("stopped", cause))),
      Effect.provide(logger)
    ),
    {
      disableErrorReporting: true,
      teardown: (exit, done) => done(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)
    }
  )
}
