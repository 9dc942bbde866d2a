/**
 * Delivers each event to the functions whose Triggers match it: the part of a
 * Knative Broker that one process needs. It reads the same
 * `eventing/triggers.yaml` and refuses what it would not do as a Broker does.
 * Events about one object wait for each other and are merged while they wait.
 */
import { Duration, Effect, Option, Schedule, Schema } from "effect"
import { parseAllDocuments } from "yaml"
import { kindNamed } from "../lib/kubernetes/kind.ts"
import { Cluster } from "../lib/kubernetes/cluster.ts"
import { type CloudEvent, type EventFilter, matches } from "../lib/runtime/events.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { KubernetesError } from "../lib/kubernetes/error.ts"
import { makeWorkQueue } from "../lib/runtime/queue.ts"
import { observeEvent } from "../lib/runtime/observers.ts"
import { reconcile } from "../lib/runtime/reconcile.ts"
import type { Settings } from "../lib/api/settings.ts"

export class TriggerRefused extends Schema.TaggedError<TriggerRefused>()("TriggerRefused", {
  message: Schema.String
}) {}

const Trigger = Schema.Struct({
  apiVersion: Schema.Literal("eventing.knative.dev/v1"),
  kind: Schema.Literal("Trigger"),
  metadata: Schema.Struct({ name: Schema.NonEmptyString }),
  spec: Schema.Struct({
    broker: Schema.NonEmptyString,
    filter: Schema.Struct({ attributes: Schema.Record(Schema.String, Schema.NonEmptyString) }),
    subscriber: Schema.Struct({
      ref: Schema.Struct({
        apiVersion: Schema.Literal("serving.knative.dev/v1"),
        kind: Schema.Literal("Service"),
        name: Schema.NonEmptyString
      })
    }),
    delivery: Schema.Struct({
      retry: Schema.Literal(3),
      backoffPolicy: Schema.Literal("exponential"),
      backoffDelay: Schema.Literal("PT0.2S")
    })
  })
})
export type Trigger = typeof Trigger.Type

/** The Triggers in a YAML text; fails with the name of the first that asks for more than this can do. */
export const readTriggers = (text: string) =>
  Effect.forEach(parseAllDocuments(text), (document) =>
    Schema.decodeUnknownEffect(Trigger, { onExcessProperty: "error", errors: "all" })(document.toJS()).pipe(
      Effect.mapError(
        (error) =>
          new TriggerRefused({
            message: `Trigger ${document.getIn(["metadata", "name"])} can't be carried out without a Broker: ${error.message}`
          })
      )
    )
  )

// As the Triggers say: three more tries after 0.2, 0.4 and 0.8 s, but none before an
// API server that is overloaded wants it. What is left is the sweep's.
const delivery = Schedule.exponential("200 millis").pipe(
  Schedule.upTo({ times: 3 }),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(Duration.max(duration, Duration.seconds(retryAfterSeconds(input))))
  )
)

const retryAfterSeconds = (error: unknown): number =>
  error instanceof KubernetesError ? (error.retryAfterSeconds ?? 0) : 0

export const makeDispatcher = Effect.fnUntraced(function* (
  functions: ReadonlyArray<EnbiFunction<unknown>>,
  triggers: ReadonlyArray<Trigger>
) {
  const filtersOf = (name: string) =>
    triggers.flatMap(({ spec }) => (spec.subscriber.ref.name === name ? [spec.filter.attributes] : []))
  // Who may wait comes last.
  const inTurn = functions.toSorted((a, b) => (a.pauseSeconds ?? 0) - (b.pauseSeconds ?? 0))
  const lanes = yield* Effect.forEach(inTurn, (definition) => makeLane(definition, filtersOf(definition.name)))
  const unknown = triggers.find((trigger) => lanes.every((lane) => lane.name !== trigger.spec.subscriber.ref.name))
  if (unknown !== undefined) {
    return yield* new TriggerRefused({
      message: `Trigger ${unknown.metadata.name} names the function ${unknown.spec.subscriber.ref.name}, which is not there`
    })
  }
  return (event: CloudEvent) =>
    Effect.forEach(
      lanes.filter((lane) => lane.filters.some((filter) => matches(filter, event))),
      (lane) => lane.send(event),
      { discard: true }
    )
})

/** Nothing waits for the result of an event here: the watch sends it. */
const makeLane = Effect.fnUntraced(function* (definition: EnbiFunction<unknown>, filters: ReadonlyArray<EventFilter>) {
  const { name } = definition
  const { enqueue } = yield* makeWorkQueue(definition, ({ event, subject }) =>
    reconcile(definition, event, subject).pipe(withDelivery({ function: name, event, subject }))
  )
  /** As the cache has it, where objects of its kind may be ignored. */
  const objectOf = Effect.fnUntraced(function* ({ kind = "", name: objectName = "", namespace }: CloudEvent) {
    const ignored = (definition.ignorePredicates ?? []).filter((predicate) => predicate.kind === kind)
    const known = kindNamed(kind)
    if (ignored.length === 0 || known === undefined) return undefined
    const cluster = yield* Cluster
    return Option.getOrUndefined(yield* cluster.get(known, { name: objectName, namespace }))
  })
  /** Most events are about Pods of others. */
  const isIgnored = (event: CloudEvent, object: unknown): boolean =>
    (definition.ignorePredicates ?? []).some(
      (predicate) => predicate.kind === event.kind && predicate.matches(object, event)
    )
  const enqueueAll = (event: CloudEvent, object: unknown) =>
    definition.mapEvent(event, object).pipe(
      Effect.flatMap((subjects) =>
        Effect.forEach(subjects, (subject) => enqueue({ event, subject }), { discard: true })
      ),
      withDelivery({ function: name, event })
    )
  const send = Effect.fnUntraced(function* (event: CloudEvent) {
    const object = yield* Effect.orDie(objectOf(event))
    if (!isIgnored(event, object)) yield* enqueueAll(event, object)
    yield* observeEvent({ function: name, event })
  })
  return { name, filters, send }
})

const withDelivery =
  (about: object) =>
  <E>(self: Effect.Effect<void, E, Cluster | Settings>) =>
    self.pipe(
      Effect.retry(delivery),
      Effect.catchCause((cause) => Effect.logWarning("left to the next sweep", about, cause))
    )
