/**
 * Looks at objects, as events ask for them: one look at one object at a time,
 * a few at once. Looks at one object that wait are one, so a thousand events
 * about it are two looks. Where a function wants a pause between two, the
 * first look is at once, and what is asked for in the pause is one look after it.
 */
import { Deferred, Duration, Effect, Scope, Semaphore } from "effect"
import { keyOf, type Reference } from "../kubernetes/kind.ts"
import type { Cluster } from "../kubernetes/cluster.ts"
import { type CloudEvent, isSweep } from "./events.ts"
import type { EnbiFunction } from "./function.ts"
import type { Settings } from "../api/settings.ts"

/** An event, and one of the objects that it asks to look at. */
export interface Task {
  readonly event: CloudEvent
  readonly subject: Reference
}

interface Waiting<A> {
  readonly task: Task
  readonly outcome: Deferred.Deferred<A>
}

// Bounds the requests to the API server that one function has under way.
const concurrency = 4

/** `take` takes one look. When the scope closes, what is begun is ended, and what waits is interrupted. */
export const makeLooks = Effect.fnUntraced(function* <A>(
  { pauseSeconds = 0 }: Pick<EnbiFunction<unknown>, "pauseSeconds">,
  take: (task: Task) => Effect.Effect<A, never, Cluster | Settings>
) {
  // All at once: or those that wait would go on while one that is begun is waited for.
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  const services = yield* Effect.context<Cluster | Settings>()
  const slots = yield* Semaphore.make(concurrency)
  const waiting = new Map<string, Waiting<A>>()
  const active = new Set<string>()

  const once = (key: string) =>
    Effect.suspend(() => {
      const next = waiting.get(key)
      if (next === undefined) return Effect.void
      waiting.delete(key)
      return Effect.flatMap(take(next.task), (result) => Deferred.succeed(next.outcome, result))
    })

  const pause = Effect.sleep(Duration.seconds(pauseSeconds))

  const work = (key: string): Effect.Effect<void, never, Cluster | Settings> =>
    Effect.suspend(() => {
      if (waiting.has(key)) {
        const look = slots.withPermit(Effect.uninterruptible(once(key)))
        return Effect.andThen(pauseSeconds > 0 ? Effect.andThen(look, pause) : look, work(key))
      }
      active.delete(key)
      return Effect.void
    })

  const drop = (key: string) =>
    Effect.suspend(() => {
      const left = waiting.get(key)
      waiting.delete(key)
      return left === undefined ? Effect.void : Deferred.interrupt(left.outcome)
    })

  /** Gives what comes of the first look that begins after this. */
  const ask = Effect.fnUntraced(function* (task: Task) {
    const key = keyOf(task.subject)
    const before = waiting.get(key)
    const outcome = before?.outcome ?? Deferred.makeUnsafe<A>()
    if (comesFirst(task, before?.task)) waiting.set(key, { task, outcome })
    if (!active.has(key)) {
      active.add(key)
      // Not of the asker's fiber: others may wait for it too.
      yield* work(key).pipe(
        Effect.onInterrupt(() => drop(key)),
        Effect.provideContext(services),
        Effect.forkIn(scope)
      )
    }
    return outcome
  })

  /** Whether a look at this object goes on, or the pause after it: the next begins later. */
  const isUnderWay = (task: Task): boolean => active.has(keyOf(task.subject))

  /** Another use of the API server, as one look among the others. */
  const inSlot = <B, E>(self: Effect.Effect<B, E, Cluster | Settings>) =>
    slots.withPermit(Effect.provideContext(self, services))

  return { ask, inSlot, isUnderWay }
})

// The first event that waits tells how late we are; but a sweep finds nothing that another event leads to.
const comesFirst = (task: Task, waiting: Task | undefined): boolean =>
  waiting === undefined || (isSweep(waiting.event) && !isSweep(task.event))
