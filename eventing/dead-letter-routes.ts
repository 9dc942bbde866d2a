/**
 * What the dead letter sink answers. Each event becomes one line of the log:
 * its attributes as they came. Its body can be a whole Pod with what is secret
 * in it, and it is not needed, so it is not even read.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { alwaysReady } from "../lib/server/health.ts"

const isOfEvent = (header: string): boolean => header.startsWith("ce-")

const receive = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => isOfEvent(name)))
  yield* Effect.logWarning("left to the next sweep", headers)
  // To the Broker, any body in the answer would be a failure.
  return HttpServerResponse.empty({ status: 204 })
})

export const routes = Layer.merge(HttpRouter.add("POST", "/", receive), alwaysReady)
