/** What the dead letter sink answers: each event becomes one line of the log, headers and body as they came. */
import { ByteSize, Effect, Layer } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

// An event of ours names an object and has no more than 1 KiB; this is for one that somebody else sent.
const maxBody = ByteSize.kibibytes(64)

// What CloudEvents call an event; the rest is about one HTTP connection.
const isOfEvent = (header: string): boolean => header.startsWith("ce-") || header === "content-type"

const receive = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => isOfEvent(name)))
  const body = yield* request.text.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, maxBody),
    Effect.orElseSucceed(() => "cut off, or more than 64 KiB")
  )
  yield* Effect.logWarning("left to the next sweep", { headers, body })
  // To the Broker, any body in the answer would be a failure.
  return HttpServerResponse.empty({ status: 204 })
})

const healthy = Effect.succeed(HttpServerResponse.text("OK"))

export const routes = Layer.mergeAll(
  HttpRouter.add("POST", "/", receive),
  HttpRouter.add("GET", "/health/liveness", healthy),
  HttpRouter.add("GET", "/health/readiness", healthy)
)
