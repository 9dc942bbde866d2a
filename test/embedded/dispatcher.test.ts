/** What the dispatcher takes of a Broker's Triggers, and how it delivers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Cache from "../../lib/runtime/watch-cache.ts"
import { makeDispatcher, readTriggers } from "../../embedded/dispatcher.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { changed, type CloudEvent, sweepType } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { makeTriggers } from "../../generate/triggers.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { Settings } from "../../lib/api/settings.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { settings, waitingPod } from "../memory/given.ts"
import { counted, withMetrics } from "../metrics/scrape.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"

const trigger = makeTriggers([{ ...fake({}), name: "one" }])[0]

function fake(more: Partial<EnbiFunction<unknown>>): EnbiFunction<unknown> {
  return {
    name: "one",
    on: [changed(pods)],
    permissions: [],
    mapEvent: ({ name = "" }) => Effect.succeed([{ kind: "Pod", name }]),
    observe: () => Effect.succeedNone,
    Observed: Schema.Unknown,
    decide: () => [],
    ...more
  }
}

const event = (name: string, kind = "Pod"): CloudEvent => ({
  specversion: "1.0",
  id: name,
  source: "test",
  type: "dev.knative.apiserver.resource.update",
  kind,
  name
})

const services = Layer.mergeAll(
  Cache.layer([pods]).pipe(
    Layer.provide(
      Layer.succeed(
        KubernetesApi,
        makeApiServer().connect(() => Stream.never)
      )
    )
  ),
  Layer.succeed(Settings, settings),
  Logger.layer([])
)

const conflict = new KubernetesError({ status: 503, reason: "ServiceUnavailable", message: "later" })

describe("dispatcher", () => {
  const refused: Record<string, object> = {
    "another filter dialect": { filters: [{ exact: { kind: "Pod" } }] },
    "an empty value, which brokers read differently": { filter: { attributes: { kind: "" } } },
    "a subscriber by URI": { subscriber: { uri: "http://elsewhere" } },
    "another number of tries": { delivery: { retry: 5, backoffPolicy: "exponential", backoffDelay: "PT0.2S" } },
    "a dead letter sink": { delivery: { ...trigger?.spec.delivery, deadLetterSink: { uri: "http://elsewhere" } } }
  }
  for (const [what, spec] of Object.entries(refused)) {
    it.effect(`refuses ${what}, naming the Trigger`, () =>
      Effect.gen(function* () {
        const text = JSON.stringify({ ...trigger, spec: { ...trigger?.spec, ...spec } })
        assert.include((yield* Effect.flip(readTriggers(text))).message, "one-pod")
      })
    )
  }

  it.effect("refuses a Trigger for a function that is not there", () =>
    Effect.gen(function* () {
      const triggers = yield* readTriggers(JSON.stringify(trigger))
      const failure = yield* Effect.flip(makeDispatcher([fake({ name: "two" })], triggers))
      assert.include(failure.message, "one")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("delivers what matches, tries three times more, and then goes on", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const observe = ({ name }: { readonly name: string }) =>
        Effect.suspend(() => {
          seen.push(name)
          return name === "broken" ? Effect.fail(conflict) : Effect.succeed(Option.none())
        })
      const send = yield* makeDispatcher([fake({ observe })], yield* readTriggers(JSON.stringify(trigger)))
      yield* send(event("a-job", "Job"))
      yield* send(event("broken"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seen, ["broken", "broken", "broken", "broken"])
      yield* send(event("whole"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen.slice(4), ["whole"])
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("asks nothing about an object that needs no look, and looks at one that is gone", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const definition = fake({
        ignorePredicates: [ignoreIf(pods, ({ metadata }) => metadata.name === "of-others")],
        mapEvent: ({ name = "" }) => Effect.sync(() => [{ kind: "Pod", name: asked[asked.push(name) - 1] ?? "" }])
      })
      const cluster = yield* Cluster
      for (const name of ["of-others", "ours"]) {
        yield* cluster.create(
          pods,
          waitingPod({ name, namespace: "apps", nodeName: "one", image: "reg.io/a:1", packageName: "good" })
        )
      }
      const send = yield* makeDispatcher([definition], yield* readTriggers(JSON.stringify(trigger)))
      for (const name of ["of-others", "ours", "gone"]) yield* send({ ...event(name), namespace: "apps" })
      assert.deepStrictEqual(asked, ["ours", "gone"])
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("does not try again before an overloaded API server wants it", () =>
    Effect.gen(function* () {
      const overloaded = new KubernetesError({
        status: 429,
        reason: "TooManyRequests",
        message: "",
        retryAfterSeconds: 5
      })
      let looks = 0
      const observe = () =>
        Effect.suspend(() => {
          looks += 1
          return looks === 1 ? Effect.fail(overloaded) : Effect.succeed(Option.none())
        })
      const send = yield* makeDispatcher([fake({ observe })], yield* readTriggers(JSON.stringify(trigger)))
      yield* send(event("one"))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(looks, 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(looks, 2)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("events about an object that is being looked at lead to one more look", () =>
    Effect.gen(function* () {
      let looks = 0
      let together = 0
      const observe = () =>
        Effect.gen(function* () {
          looks += 1
          together += 1
          assert.strictEqual(together, 1, "looks at one object at the same time")
          yield* Effect.sleep("1 second")
          together -= 1
          return Option.none()
        })
      const send = yield* makeDispatcher([fake({ observe })], yield* readTriggers(JSON.stringify(trigger)))
      yield* send(event("same"))
      yield* TestClock.adjust("500 millis")
      for (let i = 0; i < 20; i += 1) yield* send(event("same"))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(looks, 2)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("a function that wants a pause looks once in it, whatever comes, and its pause is no lag", () =>
    Effect.gen(function* () {
      let looks = 0
      const definition = fake({
        observe: () =>
          Effect.suspend(() => {
            looks += 1
            return Effect.succeedNone
          }),
        pauseSeconds: 10
      })
      const send = yield* makeDispatcher([definition], yield* readTriggers(JSON.stringify(trigger)))
      for (let second = 0; second <= 60; second += 1) {
        for (let i = 0; i < 20; i += 1) yield* send({ ...event("same"), time: new Date(second * 1000).toISOString() })
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(looks, 7)
      assert.isUndefined((yield* counted)["nixbuild_event_lag_seconds_count"])
    }).pipe(Effect.scoped, Effect.provide(services), withMetrics)
  )

  it.effect("what an event led to is no sweep's find, whichever came first; the first event says how late it is", () =>
    Effect.gen(function* () {
      const once = { ...trigger, spec: { ...trigger?.spec, filter: { attributes: { source: "test" } } } }
      const observe = () => Effect.delay(Effect.succeedSome({}), "1 second")
      const gone = { kind: "Pod", name: "gone", uid: "gone", resourceVersion: "1" } as const
      const decide = () => [{ action: "Delete", why: "a test", target: gone } as const]
      const definition = fake({ observe, decide, mapEvent: () => Effect.succeed([{ kind: "Pod", name: "same" }]) })
      const send = yield* makeDispatcher([definition], yield* readTriggers(JSON.stringify(once)))
      const at = (seconds: number) => ({ time: new Date(seconds * 1000).toISOString() })
      const sweep = { ...event("sweep"), type: sweepType }
      for (const merged of [
        [
          { ...sweep, ...at(0) },
          { ...event("a"), ...at(0) },
          { ...event("b"), ...at(0.25) }
        ],
        [
          { ...event("c"), ...at(4) },
          { ...sweep, ...at(4) }
        ]
      ]) {
        yield* send(event("looked at while the others come"))
        yield* TestClock.adjust("500 millis")
        yield* Effect.forEach(merged, send)
        yield* TestClock.adjust("3 seconds")
      }
      assert.deepStrictEqual(yield* counted, {
        'nixbuild_decisions_total{function="one",outcome="Done"}': 4,
        nixbuild_event_lag_seconds_sum: 1.5,
        nixbuild_event_lag_seconds_count: 2
      })
      yield* send(sweep)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* counted)["nixbuild_sweep_repairs_total"], 1)
    }).pipe(Effect.scoped, Effect.provide(services), withMetrics)
  )
})
