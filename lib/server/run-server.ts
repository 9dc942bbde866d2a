/**
 * A server of `functions/` as a process of its own: `node
 * /app/functions/<name>.js`. It answers its protocol on the ports that it
 * names; on `PORT` it says how it is.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { layerLive } from "../kubernetes/cluster.ts"
import type { Server } from "../runtime/definition.ts"
import { KubernetesApi } from "../kubernetes/connection.ts"
import { logger, logLevel, runProcess } from "../runtime/process.ts"
import { DrainingServer } from "./draining-server.ts"
import { alwaysReady, metrics } from "./health.ts"

const status = Layer.unwrap(
  Effect.map(Config.Port("PORT").pipe(Config.withDefault(8080)), (port) =>
    HttpRouter.serve(Layer.merge(alwaysReady, metrics(Effect.void)), { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(() => new DrainingServer(), { port }))
    )
  )
)

/** Runs until SIGTERM; it is ready once the server's layer is built. */
export const runServer = (server: Server): void =>
  runProcess(
    Layer.launch(
      status.pipe(
        Layer.provide(server.layer),
        Layer.provide(layerLive),
        Layer.provide(KubernetesApi.layer),
        Layer.provide(NodeServices.layer),
        Layer.provide(logLevel),
        Layer.provide(logger)
      )
    )
  )
