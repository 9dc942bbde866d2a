/** The work queue: one reconciliation of an object at a time, a few objects at once, and what happens at the end. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { CloudEvent } from "../lib/runtime/events.ts"
import { makeWorkQueue } from "../lib/runtime/queue.ts"
import { Settings } from "../lib/api/settings.ts"
import { makeApiServer } from "./memory/api-server.ts"
import { settings } from "./memory/given.ts"
import { liveCluster } from "./memory/live.ts"

const event: CloudEvent = { specversion: "1.0", id: "1", source: "test", type: "changed" }
const services = Layer.mergeAll(liveCluster(makeApiServer()), Layer.succeed(Settings, settings))

it.effect("when the scope closes, what has started is finished, and callers of the others are not left waiting", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const gate = yield* Latch.make()
    const taken: Array<string> = []
    const { enqueue } = yield* makeWorkQueue({}, ({ subject: { name } }) =>
      Effect.as(
        Effect.andThen(
          gate.await,
          Effect.sync(() => taken.push(name))
        ),
        name
      )
    ).pipe(Scope.provide(scope))
    const outcomes = yield* Effect.forEach(
      Array.from({ length: 20 }, (_, index) => `pod-${index}`),
      (name) => enqueue({ event, subject: { kind: "Pod", namespace: "apps", name } })
    )
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    // One of them is requested again while it is reconciled.
    const again = yield* enqueue({ event, subject: { kind: "Pod", namespace: "apps", name: "pod-0" } })
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    assert.isUndefined(closing.pollUnsafe(), "it waits for what has started")
    yield* gate.open
    yield* Fiber.join(closing)
    assert.deepStrictEqual(taken, ["pod-0", "pod-1", "pod-2", "pod-3"])
    const exits = yield* Effect.forEach([...outcomes, again], (outcome) => Effect.exit(Deferred.await(outcome)))
    assert.deepStrictEqual(exits.map(Exit.isSuccess), [...taken.map(() => true), ...Array(17).fill(false)])
  }).pipe(Effect.provide(services))
)

it.effect(
  "with a pause the first reconciliation is at once, and what is requested during the pause is one after it",
  () =>
    Effect.gen(function* () {
      const taken: Array<string> = []
      const { enqueue, isActive } = yield* makeWorkQueue({ pauseSeconds: 10 }, ({ event: { id } }) =>
        Effect.sync(() => taken.push(id))
      )
      const subject = { kind: "Cluster", name: "all" }
      const changed = (id: string) => ({ event: { ...event, id }, subject })
      const enqueueOne = (id: string) =>
        Effect.andThen(enqueue(changed(id)), Effect.repeat(Effect.yieldNow, { times: 5 }))
      yield* enqueueOne("first")
      assert.deepStrictEqual(taken, ["first"])
      for (const id of ["second", "third", "last"]) yield* enqueueOne(id)
      assert.isTrue(isActive(changed("any")))
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(taken, ["first"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(taken, ["first", "second"], "one reconciliation, by the event that waited longest")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(taken, ["first", "second"], "nothing is reconciled without a request")
      assert.isFalse(isActive(changed("any")))
      yield* enqueueOne("later")
      assert.deepStrictEqual(taken, ["first", "second", "later"])
    }).pipe(Effect.scoped, Effect.provide(services))
)

it.effect("a pause of one object holds up no other, and ends with the scope", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const taken: Array<string> = []
    const { enqueue } = yield* makeWorkQueue({ pauseSeconds: 10 }, ({ subject: { name } }) =>
      Effect.as(
        Effect.sync(() => taken.push(name)),
        name
      )
    ).pipe(Scope.provide(scope))
    const enqueueOne = (name: string) =>
      Effect.tap(enqueue({ event, subject: { kind: "Pod", namespace: "apps", name } }), () =>
        Effect.repeat(Effect.yieldNow, { times: 5 })
      )
    const names = Array.from({ length: 6 }, (_, index) => `pod-${index}`)
    for (const name of names) yield* enqueueOne(name)
    assert.deepStrictEqual(taken, names)
    const left = yield* enqueueOne("pod-0")
    yield* Scope.close(scope, Exit.void)
    assert.isTrue(Exit.isFailure(yield* Effect.exit(Deferred.await(left))))
    assert.deepStrictEqual(taken, names)
  }).pipe(Effect.provide(services))
)
