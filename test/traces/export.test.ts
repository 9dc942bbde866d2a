/** What becomes of spans when the collector is there, is not, or does not answer. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Queue, Scope } from "effect"
import { HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { rootIdOf, type Span, spanIdOf, spanOfPhase, traceIdOf } from "../../lib/telemetry/span.ts"
import { Traces } from "../../lib/telemetry/traces.ts"
import { clockedTracesTo, makeCollector } from "./collector.ts"

const span = (name: string): Span => ({
  traceId: traceIdOf("uid"),
  spanId: spanIdOf(name),
  name,
  kind: "internal",
  startTime: "2026-01-01T00:00:00Z",
  endTime: "2026-01-01T00:00:01.250Z",
  attributes: { "enbi.attempt": 1, "k8s.node.name": undefined }
})

/** A process that exports to `url`: its log lines as they come, and its end. */
const start = Effect.fnUntraced(function* (url: string) {
  const lines = yield* Queue.unbounded<string>()
  const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => Queue.offerUnsafe(lines, line))])
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(clockedTracesTo(url).pipe(Layer.provideMerge(logger)), scope)
  const exportSpans = yield* Effect.provide(Traces, context)
  if (exportSpans === undefined) return yield* Effect.die("it exports nothing")
  return { lines, exportSpans, end: Scope.close(scope, Exit.void) }
})

/** A collector that answers with the statuses one after the other, `never` not at all; `arrived` has each request. */
const answering = Effect.fnUntraced(function* (...statuses: ReadonlyArray<number | "never">) {
  const arrived = yield* Queue.unbounded<number>()
  let count = 0
  const respond = Effect.suspend(() => {
    const status = statuses[count] ?? 200
    Queue.offerUnsafe(arrived, (count += 1))
    return status === "never" ? Effect.never : Effect.succeed(HttpServerResponse.empty({ status }))
  })
  return { arrived, ...(yield* makeCollector(respond)) }
})

describe("spans", () => {
  it.effect("are sent every few seconds, each once, with what they say", () =>
    Effect.gen(function* () {
      const { arrived, spans, url } = yield* answering()
      const { end, exportSpans } = yield* start(`${url}/`)
      exportSpans([span("a"), { ...span("b"), error: "BuildFailed" }, span("a")])
      yield* TestClock.adjust("5 seconds")
      yield* Queue.take(arrived)
      exportSpans([span("a")])
      yield* end
      const [first] = spans
      assert.deepStrictEqual(
        spans.map(({ failed, name }) => [name, failed]),
        [
          ["a", undefined],
          ["b", "BuildFailed"]
        ]
      )
      assert.deepStrictEqual(first?.attributes, { "enbi.attempt": 1 })
      assert.strictEqual((first?.to ?? 0) - (first?.from ?? 0), 1.25)
    })
  )

  it.effect("that wait are sent at the end", () =>
    Effect.gen(function* () {
      const { spans, url } = yield* answering()
      const { end, exportSpans } = yield* start(url)
      exportSpans([span("a")])
      yield* end
      assert.lengthOf(spans, 1)
    })
  )

  it.effect("wait for no collector that hangs: one line in the log, and the process ends", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* answering("never", "never", "never", "never", "never")
      const { end, exportSpans, lines } = yield* start(url)
      exportSpans([span("a")])
      yield* TestClock.adjust("5 seconds")
      yield* Queue.take(arrived)
      yield* TestClock.adjust("2 seconds")
      assert.include(yield* Queue.take(lines), "traces are not exported for the time being")
      yield* TestClock.adjust("1 second")
      yield* Queue.take(arrived)
      exportSpans([span("b")])
      const ending = yield* Effect.forkChild(end, { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(ending)
      assert.strictEqual(yield* Queue.size(lines), 0)
    })
  )

  it.effect("are sent again a minute after a refusal", () =>
    Effect.gen(function* () {
      const { arrived, spans, url } = yield* answering(403)
      const { end, exportSpans, lines } = yield* start(url)
      exportSpans([span("a")])
      yield* TestClock.adjust("5 seconds")
      yield* Queue.take(arrived)
      assert.include(yield* Queue.take(lines), "the collector answered 403")
      yield* TestClock.adjust("1 minute")
      // The minute began when the exporter had read the answer, which may have been during the one before.
      yield* TestClock.adjust("1 minute")
      exportSpans([span("b")])
      yield* end
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["a", "b"]
      )
    })
  )

  it.effect("beyond what is kept are dropped until the next interval", () =>
    Effect.gen(function* () {
      const { arrived, spans, url } = yield* answering()
      const { end, exportSpans } = yield* start(url)
      exportSpans(Array.from({ length: 5000 }, (_, index) => span(`a${index}`)))
      yield* TestClock.adjust("5 seconds")
      yield* Queue.take(arrived)
      assert.lengthOf(spans, 1000)
      exportSpans([span("b")])
      yield* end
      assert.strictEqual(spans.at(-1)?.name, "b")
    })
  )
})

describe("ids", () => {
  const uid = "0c9f7b1e-3b1c-4d6e-8f00-aabbccddeeff"
  const root = { kind: "NixBuild", metadata: { name: "a", uid } }
  const phase = { name: "build", root, from: "2026-01-01T00:00:10Z", to: "2026-01-01T00:00:05Z" } as const

  it("are the NixBuild's uid for the trace, and a hash of any other text", () => {
    assert.strictEqual(traceIdOf(uid), "0c9f7b1e3b1c4d6e8f00aabbccddeeff")
    assert.match(traceIdOf("uid-1"), /^[0-9a-f]{32}$/)
    assert.notStrictEqual(traceIdOf("uid-1"), traceIdOf("uid-2"))
  })

  it("tell nodes and attempts apart, and are under one root", () => {
    const ids = [
      ["one", "1"],
      ["one", "2"],
      ["two", "1"]
    ].map((key) => spanOfPhase({ ...phase, key }))
    assert.strictEqual(new Set(ids.map(({ spanId }) => spanId)).size, 3)
    assert.deepStrictEqual([...new Set(ids.map(({ parentSpanId }) => parentSpanId))], [rootIdOf(root)])
  })

  it("and a phase never ends before it began, whoever's clock is behind", () => {
    const { endTime, startTime } = spanOfPhase({ ...phase, key: [] })
    assert.strictEqual(endTime, startTime)
  })
})
