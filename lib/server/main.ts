/**
 * One function as a process of its own, as Knative Serving or a plain
 * Deployment runs it: `node /app/functions/<name>.js`. It listens on `PORT`,
 * reads the cluster for each reconciliation, and on SIGTERM finishes what it has started.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Effect, Layer, Option } from "effect"
import { HttpRouter } from "effect/http"
import { layerLive } from "../kubernetes/cluster.ts"
import type { EnbiFunction } from "../runtime/function.ts"
import { logger, logLevel, runProcess } from "../runtime/process.ts"
import { layerOf, readNodeRepel } from "./services.ts"
import { DrainingServer } from "./draining-server.ts"
import { Receiver } from "./receiver.ts"
import { routes } from "./routes.ts"
import { Senders } from "./authentication.ts"

// Serving sets PORT, func FUNC_PORT.
const portConfig = Config.all([
  Config.Port("PORT").pipe(Config.option),
  Config.Port("FUNC_PORT").pipe(Config.withDefault(8080))
]).pipe(Config.map(([port, funcPort]) => Option.getOrElse(port, () => funcPort)))

const Server = Layer.unwrap(
  Effect.map(portConfig, (port) =>
    HttpRouter.serve(routes, { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(() => new DrainingServer(), { port }))
    )
  )
)

/** The services that a function needs, however it is called. */
export const services = (definition: EnbiFunction<unknown>, nodeRepel: ReadonlyArray<string> = []) =>
  Receiver.layer(definition).pipe(
    Layer.provideMerge(Senders.layer),
    Layer.provideMerge(layerLive),
    Layer.provideMerge(layerOf(definition.name, nodeRepel)),
    Layer.provideMerge(NodeServices.layer),
    Layer.provideMerge(logLevel),
    Layer.provideMerge(logger)
  )

/** Runs until SIGTERM. */
export const serve = (definition: EnbiFunction<unknown>): void =>
  runProcess(Layer.launch(Server.pipe(Layer.provide(services(definition, readNodeRepel())))))
