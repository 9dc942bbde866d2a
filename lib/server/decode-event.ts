/**
 * Decodes an event from the wire: the attributes that matter, with limits, and
 * whether a function can ignore it.
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
 * Whether a function ignores an event: none of its Triggers matches it, or the
 * object that came with it is one that the function ignores. The object may be
 * outdated or forged; then the next event or the sweep makes up for it, and
 * nothing is ever done because of the object alone.
 */
export const isIgnoredBy = (definition: EnbiFunction<unknown>, event: CloudEvent, data: Event["data"]): boolean =>
  !definition.on.some((filter) => matches(filter, event)) ||
  (definition.ignorePredicates ?? []).some((ignored) => isIgnored(ignored, event, data))
