/**
 * Where a Broker sends the events that it could not bring to a function, so
 * that people see which and why. Nothing acts on them; the sweep looks at the
 * objects that they name.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Config, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { runProcess } from "../lib/runtime/process.ts"
import { DrainingServer } from "../lib/server/draining-server.ts"
import { routes } from "./dead-letter-routes.ts"

const server = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Config.Port("PORT").pipe(Config.withDefault(8080))
    return HttpRouter.serve(routes, { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(() => new DrainingServer(), { port }))
    )
  })
)

runProcess(Layer.launch(server))
