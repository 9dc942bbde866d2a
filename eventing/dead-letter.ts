/**
 * Where a Broker sends the events that it could not bring to a function, so
 * that people see which and why. Nobody acts on them; the sweep looks at the
 * objects that they name.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Config, Effect, Exit, Layer, Logger } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { routes } from "./dead-letter-routes.ts"

const server = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Config.Port("PORT").pipe(Config.withDefault(8080))
    return HttpRouter.serve(routes, { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(createServer, { port }))
    )
  })
)

NodeRuntime.runMain(Layer.launch(server).pipe(Effect.provide(Logger.layer([Logger.consoleJson]))), {
  // SIGTERM is no failure.
  teardown: (exit, done) => done(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)
})
