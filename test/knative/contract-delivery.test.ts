/**
 * What the Broker does with each answer of a subscriber: tries, gaps, replies,
 * dead letters, and what the sender is told; against the captures, and row by
 * row.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { bodyOf, type Captured, comparable, comparableAnswer, gapsIn, isRemote, readCapture, Sent } from "./captures.ts"
import { type DCase, dCases, deliveryOf, requests } from "./contract.ts"
import { asCapturedBut, makeBackend, send } from "./contract-backend.ts"
import { answer, type Headers, valueOf } from "./http.ts"
import type { Received } from "./recorder.ts"

const idOf = (headers: Headers) => valueOf(headers, "Ce-Id")

const capturedAt = (label: string, id: string | undefined): ReadonlyArray<Captured> =>
  requests.filter((row) => row.label === label && idOf(row.headers) === id)

/** Each try is the same request, and they are as many and as far apart as captured. */
const assertTries = (received: ReadonlyArray<Received>, captured: ReadonlyArray<Captured>, unitMillis = 200) => {
  for (const row of captured) {
    for (const one of received) {
      assert.deepStrictEqual(comparable(one), comparable({ headers: row.headers, body: bodyOf(row) }))
    }
    const atMillis = received.map((one) => one.atMillis)
    assert.deepStrictEqual(gapsIn(unitMillis, atMillis), gapsIn(unitMillis, row.atMillis))
  }
  const tries = captured.reduce((sum, row) => sum + row.atMillis.length, 0)
  assert.strictEqual(received.length, tries)
}

// These kill Knative's dispatcher, or are killed with it.
const isPanic = (row: DCase) => row.case === "d-big769" || row.note !== undefined

describe("a subscriber's answer", () => {
  for (const row of dCases.filter((one) => !isPanic(one))) {
    it.live(`${row.case}: ${row.delivery}${row.deadLetterSink ? "" : ", no dead letter sink"}`, () =>
      Effect.gen(function* () {
        const timeoutMillis = "timeout" in deliveryOf(row) ? 1000 : undefined
        const { recorder, url } = yield* makeBackend({ timeoutMillis })
        const told = yield* send(url, row.sent)
        const id = idOf(row.sent.headers)
        assert.deepStrictEqual(comparableAnswer(told), comparableAnswer(row.sent.answer))
        assertTries(recorder.to(row.case), capturedAt(row.case, id))
        assertTries(recorder.to(`dls-${row.case}`), capturedAt(`dls-${row.case}`, id))
        const sourceOfReply = row.case === "d-cestruct" ? "/recorder" : `/recorder/${row.case}`
        assertTries(
          recorder.to("d-reply"),
          requests.filter((one) => one.label === "d-reply" && valueOf(one.headers, "Ce-Source") === sourceOfReply)
        )
      })
    )
  }

  it.live("replies that answer themselves end when their passes are used up", () =>
    Effect.gen(function* () {
      const event: Headers = [
        ["Ce-Specversion", "1.0"],
        ["Ce-Id", "loop"],
        ["Ce-Source", "/s"],
        ["Ce-Type", "loop.type"],
        ["Content-Type", "application/json"]
      ]
      const { recorder, url } = yield* makeBackend({
        respond: asCapturedBut({ "d-loop": Effect.succeed(answer(200, event, "{}")) })
      })
      const told = yield* send(url, { to: "/cap/d", headers: [...event, ["Ce-Knativebrokerttl", "5"]], body: "{}" })
      assert.strictEqual(told.status, 500)
      assert.strictEqual(recorder.to("d-loop").length, 4)
    })
  )
})

describe("a Broker", () => {
  const sent = readCapture("e-sent", Sent)

  it.live(
    "that says nothing of delivery: 11 calls in 204.6 s, then 500",
    () =>
      Effect.gen(function* () {
        const { recorder, url } = yield* makeBackend()
        const row = sent.find(({ to }) => to === "/cap/e")
        assert.isDefined(row)
        if (row === undefined) return
        const told = yield* send(url, row)
        assert.deepStrictEqual(comparableAnswer(told), comparableAnswer(row.answer))
        assertTries(recorder.to("e-default"), capturedAt("e-default", idOf(row.headers)))
      }),
    240_000
  )

  it.live("with async-handler: the sender is answered first", () =>
    Effect.gen(function* () {
      const { recorder, url } = yield* makeBackend()
      const row = sent.find(({ to }) => to === "/cap/asy")
      assert.isDefined(row)
      if (row === undefined) return
      const told = yield* send(url, row)
      assert.deepStrictEqual(comparableAnswer(told), comparableAnswer(row.answer))
      for (let count = 0; count < 4; count += 1) yield* recorder.next
      assertTries(recorder.to("e-async"), capturedAt("e-async", idOf(row.headers)))
    })
  )
})

describe("an error body of more than 768 bytes where there is a dead letter sink", () => {
  it.live.skipIf(isRemote)("kills the dispatcher: no dead letter, 500 to the sender and to all under way", () =>
    Effect.gen(function* () {
      const { panicked, recorder, url } = yield* makeBackend({
        respond: asCapturedBut({ "d-hangnotimeout": Effect.never })
      })
      const [deadly, innocent] = dCases.filter(isPanic)
      assert.isDefined(deadly)
      assert.isDefined(innocent)
      if (deadly === undefined || innocent === undefined) return
      const underWay = yield* Effect.forkChild(send(url, innocent.sent), { startImmediately: true })
      yield* recorder.next
      const told = yield* send(url, deadly.sent)
      assert.deepStrictEqual(comparableAnswer(told), comparableAnswer(deadly.sent.answer))
      assertTries(recorder.to("d-big769"), capturedAt("d-big769", idOf(deadly.sent.headers)))
      assert.strictEqual(recorder.to("dls-d-big769").length, 0)
      const alsoTold = yield* Fiber.join(underWay)
      assert.deepStrictEqual(comparableAnswer(alsoTold), comparableAnswer(innocent.sent.answer))
      assert.include((yield* Effect.flip(panicked)).message, "answered 500 with 769 bytes")
    })
  )
})
