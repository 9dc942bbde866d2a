/** A function or a Broker, as far as HTTP goes: takes events in structured mode and answers what the test says. */
import { HTTP } from "cloudevents"
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { WholeEvent } from "../../cli/events/event-file.ts"
import { serve } from "./serve.ts"

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
      const body = yield* request.text
      // What others read with the SDK.
      if (!HTTP.isEvent({ headers: { ...request.headers }, body })) return HttpServerResponse.empty({ status: 400 })
      const event = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(WholeEvent))(body)
      return HttpServerResponse.empty({ status: yield* take(event) })
    }).pipe(Effect.orDie)
  )
  return yield* serve(route)
})
