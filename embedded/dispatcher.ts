/**
 * Brings each event to the functions whose Triggers match it: the part of a
 * Knative Broker that one process needs. It reads the same
 * `eventing/triggers.yaml` and refuses what it would not do as a Broker does.
 * Events about one object wait for each other and are merged while they wait.
 */
import { Duration, Effect, Queue, Schedule, Schema } from "effect"
import { parseAllDocuments } from "yaml"
import type { Cluster } from "../lib/cluster.ts"
import { type CloudEvent, matches } from "../lib/events.ts"
import type { EnbiFunction } from "../lib/function.ts"
import { KubernetesError } from "../lib/kube/error.ts"
import { run } from "../lib/run.ts"
import type { Settings } from "../lib/settings.ts"
import { comesFirst, keyOf, type Task } from "../lib/task.ts"
import { makeWitness } from "../lib/traces/trace.ts"

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

// Bounds the requests to the API server that one function has under way.
const concurrency = 4

export const makeDispatcher = Effect.fnUntraced(function* (
  functions: ReadonlyArray<EnbiFunction<unknown>>,
  triggers: ReadonlyArray<Trigger>
) {
  const lanes = yield* Effect.forEach(functions, makeLane)
  const unknown = triggers.find((trigger) => lanes.every((lane) => lane.name !== trigger.spec.subscriber.ref.name))
  if (unknown !== undefined) {
    return yield* new TriggerRefused({
      message: `Trigger ${unknown.metadata.name} names the function ${unknown.spec.subscriber.ref.name}, which is not there`
    })
  }
  return (event: CloudEvent) =>
    Effect.forEach(
      lanes.filter((lane) =>
        triggers.some(
          (trigger) => trigger.spec.subscriber.ref.name === lane.name && matches(trigger.spec.filter.attributes, event)
        )
      ),
      (lane) => lane.send(event),
      { discard: true }
    )
})

/** One function's queue: an object that waits is there once, one that is worked on is looked at once more afterwards. */
const makeLane = Effect.fnUntraced(function* (definition: EnbiFunction<unknown>) {
  const queue = yield* Queue.unbounded<string>()
  const waiting = new Map<string, Task>()
  const active = new Set<string>()

  const add = (task: Task) =>
    Effect.sync(() => {
      const key = keyOf(task)
      const before = waiting.get(key)
      if (before === undefined && !active.has(key)) Queue.offerUnsafe(queue, key)
      if (comesFirst(task, before)) waiting.set(key, task)
    })

  const witness = makeWitness(definition)
  const send = (event: CloudEvent) =>
    definition.subjects(event).pipe(
      Effect.flatMap((subjects) => Effect.forEach(subjects, (subject) => add({ event, subject }), { discard: true })),
      settle({ function: definition.name, event }),
      Effect.andThen(witness(event))
    )

  const work = Effect.flatMap(Queue.take(queue), (key) => {
    const task = waiting.get(key)
    if (task === undefined) return Effect.void
    waiting.delete(key)
    active.add(key)
    return run(definition, task.event, task.subject).pipe(
      settle({ function: definition.name, ...task }),
      Effect.ensuring(
        Effect.sync(() => {
          active.delete(key)
          if (waiting.has(key)) Queue.offerUnsafe(queue, key)
        })
      ),
      // On shutdown what was begun is ended; it is bounded by the requests' time-outs.
      Effect.uninterruptible
    )
  })
  yield* Effect.forEach(Array.from({ length: concurrency }), () => Effect.forkScoped(Effect.forever(work)), {
    discard: true
  })
  return { name: definition.name, send }
})

const settle =
  (about: object) =>
  <E>(self: Effect.Effect<void, E, Cluster | Settings>) =>
    self.pipe(
      Effect.retry(delivery),
      Effect.catchCause((cause) => Effect.logWarning("left to the next sweep", about, cause))
    )
