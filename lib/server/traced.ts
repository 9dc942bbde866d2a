/** One span for what an event causes, in the trace of the event. */
import { Effect, Option } from "effect"
import type { CloudEvent } from "../runtime/events.ts"
import { spanOf } from "../telemetry/traceparent.ts"

export const traced =
  (name: string, { id, traceparent = "", type }: CloudEvent) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) => {
    const parent = Option.getOrUndefined(spanOf(traceparent))
    return Effect.withSpan(self, name, {
      kind: "consumer",
      ...(parent === undefined ? { root: true } : { parent }),
      attributes: { "cloudevents.event_id": id, "cloudevents.event_type": type }
    })
  }
