/** A function or a Broker, as far as HTTP goes: takes events in structured mode and answers what the test says. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { WholeEvent } from "../../cli/event-file.ts"

/** Its URL; `take` gives the status. */
export const sink = Effect.fnUntraced(function* (take: (event: WholeEvent) => Effect.Effect<number>) {
  const route = HttpRouter.add(
    "POST",
    "/",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      if (request.headers["content-type"] !== "application/cloudevents+json") {
        return HttpServerResponse.empty({ status: 415 })
      }
      const event = yield* Effect.flatMap(request.json, Schema.decodeUnknownEffect(WholeEvent))
      return HttpServerResponse.empty({ status: yield* take(event) })
    })
  )
  const services = yield* HttpRouter.serve(route, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.build
  )
  return yield* HttpServer.HttpServer.use(({ address }) =>
    Effect.succeed(address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}/` : "")
  ).pipe(Effect.provide(services))
})
