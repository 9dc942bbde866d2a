/** The metric of events that arrive over HTTP. */
import { Effect, Metric } from "effect"
import { counter } from "../metric.ts"

export const arrivedEvents = counter(
  "nixbuild_events_total",
  "CloudEvents that arrived over HTTP, on Knative. function: the receiver; code: the answer: 204 done, 400 not a CloudEvent, 413 too large, 503 send again."
)

/** One CloudEvent that was answered with the HTTP status `code`. */
export const countEvent = (name: string, code: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(arrivedEvents, { function: name, code: String(code) }), 1)
