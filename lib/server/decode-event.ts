/**
 * From an event off the wire to what a function is given: the attributes that
 * matter, in bounds, and whether it says enough by itself to need no look.
 */
import { Option, Result, Schema } from "effect"
import { type Attributes, type Event, MalformedEvent } from "../cloudevents/event.ts"
import { type CloudEvent, matches } from "../runtime/events.ts"
import type { EnbiFunction } from "../runtime/function.ts"
import { isIgnored } from "../runtime/predicate.ts"
import { spanOf } from "../telemetry/traceparent.ts"

// Attributes stand in log lines, which have a bound; nothing of Kubernetes or Knative is longer.
const Bounded = Schema.String.check(Schema.isMaxLength(1024, { message: "is too long" }))

// Names become parts of paths in requests to the API server.
const name = (maxLength: number, pattern: RegExp) =>
  Schema.String.check(
    Schema.isMaxLength(maxLength, { message: "is too long" }),
    Schema.isPattern(pattern, { message: "is not a Kubernetes name" })
  )

const optional = Schema.optionalKey

const Arrived = Schema.Struct({
  specversion: Schema.Literal("1.0"),
  id: Bounded,
  source: Bounded,
  type: Bounded,
  time: optional(Bounded),
  traceparent: optional(Schema.String),
  kind: optional(name(63, /^[A-Za-z0-9]+$/)),
  namespace: optional(name(63, /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/)),
  name: optional(name(253, /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/))
})

const decode = Schema.decodeUnknownResult(Arrived)

/** `traceparent`: the header of that name, which Knative sends; an attribute of that name says where the event began. */
export const arrive = (
  attributes: Attributes,
  traceparent: string | undefined
): Result.Result<CloudEvent, MalformedEvent> => {
  // ApiServerSource sends an empty namespace with what has none.
  const given = Object.entries(attributes).filter(([, value]) => value !== "")
  const trace = [attributes["traceparent"], traceparent].filter((one) => one !== undefined).find(isTrace)
  const { traceparent: _, ...rest } = Object.fromEntries(given)
  return decode({ ...rest, ...(trace === undefined ? {} : { traceparent: trace }) }).pipe(
    Result.mapError(({ message }) => new MalformedEvent({ message: message.replaceAll(/\s+/g, " ") }))
  )
}

const isTrace = (traceparent: string): boolean => Option.isSome(spanOf(traceparent))

/**
 * Whether a function need not look at anything for it: no Trigger of its asks
 * for such an event, or the object that came with it is one that it ignores.
 * The object may be an old one or a lie; the next event or the sweep leads to
 * a look then, and nothing is ever done by it.
 */
export const needsNoLook = (definition: EnbiFunction<unknown>, event: CloudEvent, data: Event["data"]): boolean =>
  !definition.on.some((filter) => matches(filter, event)) ||
  (definition.ignores ?? []).some((ignored) => isIgnored(ignored, event, data))
