/** Which objects need no look, by what an event brought of them: only to stop before anything is read. */
import { Option, Schema } from "effect"
import type { Identified, Kind } from "../kubernetes/kind.ts"
import type { Event } from "../cloudevents/event.ts"
import type { CloudEvent } from "./events.ts"

/** Objects of one kind that need no look. */
export interface Ignored {
  readonly kind: string
  readonly matches: (object: unknown, event: CloudEvent) => boolean
}

/** What we can't read of an object is no reason to ignore it. */
export const ignore = <A extends Identified>(
  kind: Kind<A>,
  needsNoLook: (object: A, event: CloudEvent) => boolean
): Ignored => {
  const read = Schema.decodeUnknownOption(kind.schema)
  return {
    kind: kind.kind,
    matches: (object, event) => Option.exists(read(object), (decoded) => needsNoLook(decoded, event))
  }
}

/** Whether the object that came with the event is one of these. */
export const isIgnored = ({ kind, matches }: Ignored, event: CloudEvent, data: Event["data"]): boolean =>
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
