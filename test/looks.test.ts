/** Looks at objects: one at a time at each, a few at once, and what becomes of them at the end. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { CloudEvent } from "../lib/runtime/events.ts"
import { makeLooks } from "../lib/runtime/queue.ts"
import { Settings } from "../lib/api/settings.ts"
import { makeApiServer } from "./memory/api-server.ts"
import { settings } from "./memory/given.ts"
import { liveCluster } from "./memory/live.ts"

const event: CloudEvent = { specversion: "1.0", id: "1", source: "test", type: "changed" }
const services = Layer.mergeAll(liveCluster(makeApiServer()), Layer.succeed(Settings, settings))

it.effect("when the scope closes, what is begun is ended, and who asked for the others is not left waiting", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const gate = yield* Latch.make()
    const taken: Array<string> = []
    const { ask } = yield* makeLooks({}, ({ subject: { name } }) =>
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
      (name) => ask({ event, subject: { kind: "Pod", namespace: "apps", name } })
    )
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    // One of them is asked for once more while it is looked at.
    const again = yield* ask({ event, subject: { kind: "Pod", namespace: "apps", name: "pod-0" } })
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* Effect.repeat(Effect.yieldNow, { times: 20 })
    assert.isUndefined(closing.pollUnsafe(), "it waits for what is begun")
    yield* gate.open
    yield* Fiber.join(closing)
    assert.deepStrictEqual(taken, ["pod-0", "pod-1", "pod-2", "pod-3"])
    const exits = yield* Effect.forEach([...outcomes, again], (outcome) => Effect.exit(Deferred.await(outcome)))
    assert.deepStrictEqual(exits.map(Exit.isSuccess), [...taken.map(() => true), ...Array(17).fill(false)])
  }).pipe(Effect.provide(services))
)

it.effect("with a pause the first look is at once, and what is asked for in it is one look when it is over", () =>
  Effect.gen(function* () {
    const taken: Array<string> = []
    const { ask, isUnderWay } = yield* makeLooks({ pauseSeconds: 10 }, ({ event: { id } }) =>
      Effect.sync(() => taken.push(id))
    )
    const subject = { kind: "Cluster", name: "all" }
    const changed = (id: string) => ({ event: { ...event, id }, subject })
    const tell = (id: string) => Effect.andThen(ask(changed(id)), Effect.repeat(Effect.yieldNow, { times: 5 }))
    yield* tell("first")
    assert.deepStrictEqual(taken, ["first"])
    for (const id of ["second", "third", "last"]) yield* tell(id)
    assert.isTrue(isUnderWay(changed("any")))
    yield* TestClock.adjust("9 seconds")
    assert.deepStrictEqual(taken, ["first"])
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(taken, ["first", "second"], "one look, by the event that waited longest")
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(taken, ["first", "second"], "nothing is looked at that nobody asked for")
    assert.isFalse(isUnderWay(changed("any")))
    yield* tell("later")
    assert.deepStrictEqual(taken, ["first", "second", "later"])
  }).pipe(Effect.scoped, Effect.provide(services))
)

it.effect("a pause of one object holds up no other, and ends with the scope", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const taken: Array<string> = []
    const { ask } = yield* makeLooks({ pauseSeconds: 10 }, ({ subject: { name } }) =>
      Effect.as(
        Effect.sync(() => taken.push(name)),
        name
      )
    ).pipe(Scope.provide(scope))
    const tell = (name: string) =>
      Effect.tap(ask({ event, subject: { kind: "Pod", namespace: "apps", name } }), () =>
        Effect.repeat(Effect.yieldNow, { times: 5 })
      )
    const names = Array.from({ length: 6 }, (_, index) => `pod-${index}`)
    for (const name of names) yield* tell(name)
    assert.deepStrictEqual(taken, names)
    const left = yield* tell("pod-0")
    yield* Scope.close(scope, Exit.void)
    assert.isTrue(Exit.isFailure(yield* Effect.exit(Deferred.await(left))))
    assert.deepStrictEqual(taken, names)
  }).pipe(Effect.provide(services))
)
