/**
 * A span for each decision to write, in the trace of every object of ours that
 * it is about. The event's own trace is another one, since it started before
 * the object was known; the decision has a link to it.
 */
import { DateTime, Option, Schema } from "effect"
import type { Action } from "../runtime/action.ts"
import { kindNamed, ObjectMeta } from "../kubernetes/kind.ts"
import type { Run } from "../runtime/observers.ts"
import { type Root, rootAttributes, rootIdOf, type Span, spanIdOf, traceIdOf } from "./span.ts"
import { spanOf } from "./traceparent.ts"

export const spansOfDecision = (run: Run, endMillis: number): ReadonlyArray<Span> =>
  rootsOf(run).map((root) => spanOfDecision(run, { root, endMillis }))

/** The objects that were to be written, were created or were observed, and those that an Event is about. */
const rootsOf = ({ actions, applied, observed, subject }: Run): ReadonlyArray<Root> => {
  const targets = actions.flatMap((action) =>
    action.action === "Create" ? [] : [{ kind: action.target.kind, metadata: action.target }]
  )
  const references = applied.flatMap(({ action, created }) =>
    action.action === "Create" && created !== undefined ? [{ kind: action.object.kind, metadata: created }] : []
  )
  const seen = objectsIn(observed)
    .filter(({ metadata: { name, namespace } }) => name === subject.name && namespace === subject.namespace)
    .map(({ metadata }) => ({ kind: subject.kind, metadata }))
  const roots = [...targets, ...references, ...seen, ...actions.flatMap(spokenOf)].filter(
    ({ kind }) => kindNamed(kind)?.custom !== undefined
  )
  return [...new Map(roots.map((root) => [root.metadata.uid, root])).values()]
}

const decodeObject = Schema.decodeUnknownOption(Schema.Struct({ metadata: ObjectMeta }))

const objectsIn = (observed: unknown) =>
  typeof observed === "object" && observed !== null
    ? [observed, ...Object.values(observed)].flatMap((value) => Option.toArray(decodeObject(value)))
    : []

const Spoken = Schema.Struct({
  kind: Schema.String,
  name: Schema.String,
  namespace: Schema.optionalKey(Schema.String),
  uid: Schema.String
})
const decodeEvent = Schema.decodeUnknownOption(
  Schema.Struct({ involvedObject: Spoken, related: Schema.optionalKey(Spoken) })
)

const spokenOf = (action: Action<string>): ReadonlyArray<Root> =>
  action.action === "Create" && action.object.kind === "Event"
    ? Option.match(decodeEvent(action.object), {
        onNone: () => [],
        onSome: ({ involvedObject, related }) =>
          [involvedObject, ...(related === undefined ? [] : [related])].map(({ kind, ...metadata }) => ({
            kind,
            metadata
          }))
      })
    : []

const spanOfDecision = (
  { applied, event, function: name, outcome, startMillis }: Run,
  { endMillis, root }: { readonly root: Root; readonly endMillis: number }
): Span => {
  const { uid } = root.metadata
  const cause = event.traceparent === undefined ? Option.none() : spanOf(event.traceparent)
  return {
    traceId: traceIdOf(uid),
    spanId: spanIdOf(uid, name, event.source, event.id, String(startMillis), outcome),
    parentSpanId: rootIdOf(root),
    name,
    kind: "consumer",
    startTime: isoOf(startMillis),
    endTime: isoOf(endMillis),
    attributes: {
      ...rootAttributes(root),
      "enbi.function": name,
      "enbi.outcome": outcome,
      "enbi.writes": applied.length,
      "cloudevents.event_id": event.id,
      "cloudevents.event_source": event.source,
      "cloudevents.event_type": event.type
    },
    ...(outcome === "Done" ? {} : { error: outcome }),
    ...(Option.isSome(cause) ? { link: { traceId: cause.value.traceId, spanId: cause.value.spanId } } : {})
  }
}

const isoOf = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))
