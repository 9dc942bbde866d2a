/** The metric of requests to the API server. */
import { Effect, Metric } from "effect"
import { counter } from "../metric.ts"

export const apiRequests = counter(
  "nixbuild_api_requests_total",
  "Requests to the API server. verb: GET, LIST, WATCH, POST, PATCH or DELETE; code: the HTTP status, 0 when no answer came."
)

/** `code` is 0 when no answer came. */
export const countRequest = (verb: string, code: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(apiRequests, { verb, code: String(code) }), 1)
