/** Looks at objects: one at a time at each, a few at once, and what becomes of them at the end. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import type { CloudEvent } from "../lib/events.ts"
import { makeLooks } from "../lib/looks.ts"
import { Settings } from "../lib/settings.ts"
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
    const { ask } = yield* makeLooks(({ subject: { name } }) =>
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
