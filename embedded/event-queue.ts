/**
 * Queues events between the watches and the functions: a watch must not wait for
 * a function, or the API server ends it. Queued events about one object are
 * merged, so the queue is never longer than the cluster.
 */
import { Effect, Queue } from "effect"
import { keyOf } from "../lib/kubernetes/kind.ts"
import { type CloudEvent, isAddition, isDeletion } from "../lib/runtime/events.ts"

export const makeEventQueue = Effect.gen(function* () {
  const waiting = new Map<string, CloudEvent>()
  const keys = yield* Queue.unbounded<string>()
  return {
    /** The newest says what became of the object; the oldest since when it has waited. */
    offer: (event: CloudEvent) =>
      Effect.sync(() => {
        const { kind = "", name = "", namespace } = event
        const key = keyOf({ kind, name, namespace })
        const before = waiting.get(key)
        // What has come and changed since has come.
        const type = before !== undefined && isAddition(before) && !isDeletion(event) ? before.type : event.type
        waiting.set(key, { ...event, type, ...(before?.time === undefined ? {} : { time: before.time }) })
        if (before === undefined) Queue.offerUnsafe(keys, key)
      }),
    /** Brings one after the other, for ever, in the order in which their objects first came. */
    deliver: <R>(send: (event: CloudEvent) => Effect.Effect<void, never, R>) =>
      Effect.forever(
        Effect.flatMap(Queue.take(keys), (key) => {
          const event = waiting.get(key)
          waiting.delete(key)
          return event === undefined ? Effect.void : send(event)
        })
      )
  }
})
