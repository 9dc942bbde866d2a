/** Predicates: which objects a function ignores, judged by what an event brought, before anything is read. */
import { Option, Schema } from "effect"
import type { Identified, Kind } from "../kubernetes/kind.ts"
import type { Event } from "../cloudevents/event.ts"
import type { CloudEvent } from "./events.ts"

/** Matches the objects of one kind that a function ignores. */
export interface IgnorePredicate {
  readonly kind: string
  readonly matches: (object: unknown, event: CloudEvent) => boolean
}

/** An object that cannot be decoded is never ignored. */
export const ignoreIf = <A extends Identified>(
  kind: Kind<A>,
  predicate: (object: A, event: CloudEvent) => boolean
): IgnorePredicate => {
  const read = Schema.decodeUnknownOption(kind.schema)
  return {
    kind: kind.kind,
    matches: (object, event) => Option.exists(read(object), (decoded) => predicate(decoded, event))
  }
}

/** Whether the object that came with the event is one of these. */
export const isIgnored = ({ kind, matches }: IgnorePredicate, event: CloudEvent, data: Event["data"]): boolean =>
  kind === event.kind && isAbout(event, data) && matches(data, event)

/** The object that came with the event, if it is the one that the event names. */
export const objectOf = (event: CloudEvent, data: Event["data"]): unknown => (isAbout(event, data) ? data : undefined)

const isAbout = (event: CloudEvent, data: unknown): boolean =>
  Option.exists(
    readHead(data),
    ({ kind, metadata: { name, namespace } }) =>
      kind === event.kind && name === event.name && (namespace ?? "") === (event.namespace ?? "")
  )

const readHead = Schema.decodeUnknownOption(
  Schema.Struct({
    kind: Schema.String,
    metadata: Schema.Struct({ name: Schema.String, namespace: Schema.optionalKey(Schema.String) })
  })
)
