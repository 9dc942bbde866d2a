/** The HTTP routes of a function: events, liveness, readiness and metrics. */
import { ByteSize, Effect, Layer } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  type HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { MalformedEvent } from "../cloudevents/event.ts"
import { decodeMessage } from "../cloudevents/http.ts"
import { type Answer, maxBodyBytes, messageOf, unavailable } from "./response.ts"
import { alwaysReady, metrics } from "./health.ts"
import { Receiver, TooLarge } from "./receiver.ts"

const readEvent = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const body = yield* Effect.mapError(request.arrayBuffer, unreadable)
  // Knative neither encodes headers nor decodes them.
  return yield* Effect.fromResult(decodeMessage({ headers: request.headers, body: new Uint8Array(body) }, "raw"))
}).pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)))

const unreadable = ({ reason }: HttpServerError.HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
    ? new TooLarge()
    : new MalformedEvent({ message: "the body broke off" })

const respond = (answer: Answer) => {
  const { body, headers } = messageOf(answer)
  return body === ""
    ? HttpServerResponse.empty({ status: answer.status, headers })
    : HttpServerResponse.text(body, { status: answer.status, headers })
}

const events = HttpRouter.add(
  "POST",
  "/",
  Effect.gen(function* () {
    const { receive } = yield* Receiver
    const request = yield* HttpServerRequest.HttpServerRequest
    const read = Effect.provideService(readEvent, HttpServerRequest.HttpServerRequest, request)
    const { authorization, traceparent, "content-length": bytes = maxBodyBytes } = request.headers
    return respond(yield* receive({ bytes: Number(bytes), read, traceparent, authorization }))
  }).pipe(
    // Left to itself a mistake of ours would be a 500, after which Knative's source gives an event up.
    Effect.catchDefect((defect) => Effect.as(Effect.logError("a mistake", defect), respond(unavailable())))
  )
)

/** All of them. Whether the API server answers is no condition of being ready: an event says so by its 503. */
export const routes = Layer.mergeAll(events, alwaysReady, metrics(Effect.void))
