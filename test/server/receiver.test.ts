/** Events in great number: nothing is acknowledged before it is done, and what is inside is bounded. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Option, Result, Schedule } from "effect"
import { HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { createConnection, type Socket } from "node:net"
import { readAttributes } from "../../lib/cloudevents/event.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { maxBodyBytes } from "../../lib/server/response.ts"
import { maxEvents, Receiver } from "../../lib/server/receiver.ts"
import { sweepType } from "../../lib/runtime/events.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { counted, withMetrics } from "../metrics/scrape.ts"
import { fake, podEvent, post, receiver, serve } from "./serve.ts"

const minimal = { specversion: "1.0", id: "1", source: "/s" }

const podChanged = (name: string) => ({ ...minimal, type: "x", kind: "Pod", namespace: "apps", name })
const sweep = { ...minimal, type: sweepType }

const receiveOne = (attributes: object, bytes = 0) =>
  Effect.flatMap(Receiver, ({ receive }) =>
    receive({
      bytes,
      read: Effect.fromResult(Result.map(readAttributes(Object.entries(attributes)), (read) => ({ attributes: read }))),
      traceparent: undefined
    })
  )

/** A function whose looks wait until `gate` opens, and how many there were. */
const waitingFunction = (gate: Latch.Latch, more: Partial<EnbiFunction<unknown>> = {}) => {
  const looks: Array<string> = []
  let together = 0
  let mostTogether = 0
  const observe = ({ name }: { readonly name: string }) =>
    Effect.gen(function* () {
      looks.push(name)
      together += 1
      mostTogether = Math.max(mostTogether, together)
      yield* gate.await
      together -= 1
      return Option.some({})
    })
  return { definition: fake({ observe, ...more }), looks, mostTogether: () => mostTogether }
}

/** Begins it, and whatever it begins. */
const start = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.tap(Effect.forkChild(self, { startImmediately: true }), () => Effect.repeat(Effect.yieldNow, { times: 5 }))

describe("events", () => {
  it.effect("are answered when the look has ended, not before", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make()
      const { definition, looks } = waitingFunction(gate)
      yield* Effect.gen(function* () {
        const fiber = yield* start(receiveOne(podChanged("a")))
        assert.deepStrictEqual(looks, ["a"])
        assert.isUndefined(fiber.pollUnsafe())
        yield* gate.open
        assert.deepStrictEqual(yield* Fiber.join(fiber), { status: 204 })
      }).pipe(Effect.provide(receiver(definition)))
    })
  )

  it.effect("about one object share a look that has not begun; beyond the limit they are to come again", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make()
      const { definition, looks } = waitingFunction(gate)
      yield* Effect.gen(function* () {
        const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), () => start(receiveOne(podChanged("a"))))
        yield* gate.open
        const answers = yield* Effect.forEach(fibers, Fiber.join)
        assert.lengthOf(
          answers.filter(({ status }) => status === 204),
          maxEvents
        )
        for (const answer of answers.filter(({ status }) => status !== 204)) {
          assert.deepInclude(answer, { status: 503, retryAfterSeconds: 1 })
        }
        assert.deepStrictEqual(looks, ["a", "a"])
        assert.deepStrictEqual(yield* counted, {
          'nixbuild_events_total{function="fake",code="204"}': maxEvents,
          'nixbuild_events_total{function="fake",code="503"}': 10_000 - maxEvents
        })
      }).pipe(Effect.provide(receiver(definition)), withMetrics)
    })
  )

  it.effect("that come while it pauses are answered at once, and lead to one look after it", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make(false)
      const { definition, looks } = waitingFunction(gate, { pauseSeconds: 10 })
      yield* Effect.gen(function* () {
        const first = yield* start(receiveOne(podChanged("a")))
        assert.isUndefined(first.pollUnsafe(), "nothing else tells of it")
        // More than there are places, also while the first look goes on.
        const others = Effect.forEach(Array.from({ length: 2 * maxEvents }), () => receiveOne(podChanged("a")))
        const statuses = Effect.map(others, (answers) => [...new Set(answers.map(({ status }) => status))])
        assert.deepStrictEqual(yield* statuses, [204])
        yield* gate.open
        assert.deepStrictEqual(yield* Fiber.join(first), { status: 204 })
        assert.deepStrictEqual(yield* statuses, [204])
        yield* TestClock.adjust("9 seconds")
        assert.deepStrictEqual(looks, ["a"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(looks, ["a", "a"])
      }).pipe(Effect.provide(receiver(definition)))
    })
  )

  it.effect("that are large take the places of several, so that all bodies are bounded", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make()
      const { definition } = waitingFunction(gate)
      yield* Effect.gen(function* () {
        const fibers = yield* Effect.forEach(Array.from({ length: maxEvents }), (_, index) =>
          start(receiveOne(podChanged(`pod-${index}`), maxBodyBytes))
        )
        yield* gate.open
        const answers = yield* Effect.forEach(fibers, Fiber.join)
        const inside = answers.filter(({ status }) => status === 204).length
        assert.strictEqual(inside, 10)
        assert.isAtMost(inside * maxBodyBytes, 16 * 1024 ** 2)
      }).pipe(Effect.provide(receiver(definition)))
    })
  )

  it.effect("about several objects lead to four looks at once", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make()
      const { definition, looks, mostTogether } = waitingFunction(gate)
      yield* Effect.gen(function* () {
        const names = Array.from({ length: 10 }, (_, index) => `pod-${index}`)
        const fibers = yield* Effect.forEach(names, (name) => start(receiveOne(podChanged(name))))
        yield* gate.open
        yield* Effect.forEach(fibers, Fiber.join)
        assert.sameMembers(looks, names)
        assert.strictEqual(mostTogether(), 4)
      }).pipe(Effect.provide(receiver(definition)))
    })
  )

  it.effect("whose sender hangs up keep their place until the look has ended", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make()
      const { definition } = waitingFunction(gate)
      yield* Effect.gen(function* () {
        const fibers = yield* Effect.forEach(Array.from({ length: maxEvents }), (_, index) =>
          start(receiveOne(podChanged(`pod-${index}`)))
        )
        const hangUp = yield* start(Fiber.interruptAll(fibers))
        assert.strictEqual((yield* receiveOne(podChanged("a"))).status, 503)
        yield* gate.open
        yield* Fiber.join(hangUp)
        assert.strictEqual((yield* receiveOne(podChanged("a"))).status, 204)
      }).pipe(Effect.provide(receiver(definition)))
    })
  )

  it.effect("make a sweep that shares their look no repair, whichever came first", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make()
      const gone = { kind: "Pod", name: "gone", uid: "gone", resourceVersion: "1" } as const
      const { definition, looks } = waitingFunction(gate, {
        mapEvent: () => Effect.succeed([{ kind: "Pod", name: "a" }]),
        decide: () => [{ action: "Delete", why: "a test", target: gone }]
      })
      yield* Effect.gen(function* () {
        const events = [podChanged("a"), sweep, podChanged("a"), sweep]
        const fibers = yield* Effect.forEach(events, (event) => start(receiveOne(event)))
        yield* gate.open
        yield* Effect.forEach(fibers, Fiber.join)
        assert.lengthOf(looks, 2)
        assert.notProperty(yield* counted, "nixbuild_sweep_repairs_total")
        yield* receiveOne(sweep)
        assert.propertyVal(yield* counted, "nixbuild_sweep_repairs_total", 1)
      }).pipe(Effect.provide(receiver(definition, makeApiServer())), withMetrics)
    })
  )
})

/** Half an event, on a connection that stays open until it is told otherwise. */
const sendHalf = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  if (address._tag === "UnixPathAddress") return yield* Effect.die("no port")
  const { port } = address
  const head = Object.entries({ ...podEvent(), "content-length": "100", host: "x" })
  const text = head.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  return yield* Effect.callback<Socket>((resume) => {
    const socket = createConnection({ port, host: "127.0.0.1" }, () =>
      socket.write(`POST / HTTP/1.1\r\n${text}\r\n{`, () => resume(Effect.succeed(socket)))
    )
  })
})

const statusOf = Effect.map(post(podEvent(), "{}"), ({ status }) => status)
const until = (status: number) =>
  Effect.repeat(statusOf, { until: (now) => now === status, schedule: Schedule.recurs(10_000) })

describe("senders that are slow", () => {
  it.live("have a place too, and free it when they hang up", () =>
    Effect.gen(function* () {
      const sockets = yield* Effect.forEach(Array.from({ length: maxEvents }), () => sendHalf)
      assert.strictEqual(yield* until(503), 503)
      for (const socket of sockets) socket.destroy()
      assert.strictEqual(yield* until(204), 204)
    }).pipe(Effect.provide(serve(fake())))
  )
})
