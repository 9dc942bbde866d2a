/** What a test has on HTTP, on a port of its own. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"

/** As `HttpRouter.add` gives them. */
export type Routes = Layer.Layer<never, never, HttpRouter.HttpRouter>

/** Its URL, until the scope ends. */
export const serve = Effect.fnUntraced(function* (routes: Routes) {
  const services = yield* HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.build
  )
  return yield* HttpServer.HttpServer.use(({ address }) =>
    Effect.succeed(address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}/` : "")
  ).pipe(Effect.provide(services))
})
