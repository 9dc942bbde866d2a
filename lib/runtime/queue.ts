/**
 * The work queue of a function: it reconciles one object once at a time, and a
 * few objects at once. Requests for one object that are still queued are
 * merged, so a thousand events about it cost two reconciliations. Where a
 * function wants a pause between two, the first starts at once, and everything
 * that is requested during the pause becomes one reconciliation after it.
 */
import { Deferred, Duration, Effect, Scope, Semaphore } from "effect"
import { keyOf, type Reference } from "../kubernetes/kind.ts"
import type { Cluster } from "../kubernetes/cluster.ts"
import { type CloudEvent, isSweep } from "./events.ts"
import type { EnbiFunction } from "./function.ts"
import type { Settings } from "../api/settings.ts"

/** An event, and one of the objects to reconcile because of it. */
export interface Request {
  readonly event: CloudEvent
  readonly subject: Reference
}

interface Queued<A> {
  readonly request: Request
  readonly outcome: Deferred.Deferred<A>
}

// Bounds the requests to the API server that one function has under way.
const concurrency = 4

/** `reconcile` handles one request. When the scope closes, what has started is finished, and what is queued is interrupted. */
export const makeWorkQueue = Effect.fnUntraced(function* <A>(
  { pauseSeconds = 0 }: Pick<EnbiFunction<unknown>, "pauseSeconds">,
  reconcile: (request: Request) => Effect.Effect<A, never, Cluster | Settings>
) {
  // Closes in parallel, or queued requests would start while a running one is awaited.
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  const services = yield* Effect.context<Cluster | Settings>()
  const slots = yield* Semaphore.make(concurrency)
  const queued = new Map<string, Queued<A>>()
  const active = new Set<string>()

  const reconcileNext = (key: string) =>
    Effect.suspend(() => {
      const next = queued.get(key)
      if (next === undefined) return Effect.void
      queued.delete(key)
      return Effect.flatMap(reconcile(next.request), (result) => Deferred.succeed(next.outcome, result))
    })

  const pause = Effect.sleep(Duration.seconds(pauseSeconds))

  const drain = (key: string): Effect.Effect<void, never, Cluster | Settings> =>
    Effect.suspend(() => {
      if (queued.has(key)) {
        const next = slots.withPermit(Effect.uninterruptible(reconcileNext(key)))
        return Effect.andThen(pauseSeconds > 0 ? Effect.andThen(next, pause) : next, drain(key))
      }
      active.delete(key)
      return Effect.void
    })

  const drop = (key: string) =>
    Effect.suspend(() => {
      const left = queued.get(key)
      queued.delete(key)
      return left === undefined ? Effect.void : Deferred.interrupt(left.outcome)
    })

  /** Gives the result of the first reconciliation that starts after this. */
  const enqueue = Effect.fnUntraced(function* (request: Request) {
    const key = keyOf(request.subject)
    const before = queued.get(key)
    const outcome = before?.outcome ?? Deferred.makeUnsafe<A>()
    if (takesPrecedence(request, before?.request)) queued.set(key, { request, outcome })
    if (!active.has(key)) {
      active.add(key)
      // Not in the caller's fiber: others may wait for it too.
      yield* drain(key).pipe(
        Effect.onInterrupt(() => drop(key)),
        Effect.provideContext(services),
        Effect.forkIn(scope)
      )
    }
    return outcome
  })

  /** Whether this object is being reconciled, or pauses after that: the next reconciliation starts later. */
  const isActive = (request: Request): boolean => active.has(keyOf(request.subject))

  /** Another use of the API server, which takes the slot of one reconciliation. */
  const withSlot = <B, E>(self: Effect.Effect<B, E, Cluster | Settings>) =>
    slots.withPermit(Effect.provideContext(self, services))

  return { enqueue, withSlot, isActive }
})

// The oldest queued event is kept for the lag metric, but a real event replaces a sweep: it is not the sweep's find.
const takesPrecedence = (request: Request, queued: Request | undefined): boolean =>
  queued === undefined || (isSweep(queued.event) && !isSweep(request.event))
