/** What subscribers get of an event that went through the Broker, and in which order, against the captures. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Latch } from "effect"
import { bodyOf, type Captured, comparable, isRemote, readCapture, Sent } from "./captures.ts"
import { requests } from "./contract.ts"
import { asCapturedBut, makeBackend, send } from "./contract-backend.ts"
import { type Answer, answer, valueOf } from "./http.ts"
import type { Received } from "./recorder.ts"
import { objectOf, source, tellingSource, verbOf } from "./told-source.ts"

const rowsOf = (label: string): ReadonlyArray<Captured> => requests.filter((row) => row.label === label)

const nameOf = ({ headers }: Pick<Captured, "headers">) => valueOf(headers, "Ce-Name") ?? ""
const namesOf = (all: ReadonlyArray<Pick<Captured, "headers">>) => all.map(nameOf)

const assertSame = (received: Received | undefined, row: Captured | undefined) => {
  assert.isDefined(received)
  assert.isDefined(row)
  if (received === undefined || row === undefined) return
  assert.deepStrictEqual(comparable(received), comparable({ headers: row.headers, body: bodyOf(row) }))
  assert.strictEqual(`${received.method} ${received.target}`, `POST ${row.target}`)
}

const nixBuild = { apiVersion: "enbi.hrzn.ee/v1alpha1", kind: "NixBuild" }
const resourceMode = source("b", { mode: "Resource", resources: [nixBuild] })

describe("from the API server through source and Broker", () => {
  const [added, ...later] = rowsOf("b-sub")

  it.live.skipIf(isRemote)(
    "an add: binary, as JSON document, and to one whose answer is too long for a dead letter",
    () =>
      Effect.gen(function* () {
        // The long answers come when the others have got theirs, which the panic would cut.
        const [plain, document] = [yield* Latch.make(), yield* Latch.make()]
        const { panicked, recorder, url, wait } = yield* makeBackend({
          respond: asCapturedBut({
            "b-sub": Effect.as(plain.open, "as captured"),
            "b-json": Effect.as(document.open, "as captured"),
            "b-failing": Effect.as(Effect.andThen(plain.await, document.await), "as captured")
          })
        })
        assert.isDefined(added)
        if (added === undefined) return
        const { change } = yield* tellingSource({ manifests: [resourceMode], sink: `${url}/cap/b`, wait })
        yield* change(verbOf(added), objectOf(added))
        assert.include((yield* Effect.flip(panicked)).message, "answered 500 with 1600 bytes")
        assertSame(recorder.to("b-sub")[0], added)
        assertSame(recorder.to("b-json")[0], rowsOf("b-json")[0])
        for (const one of recorder.to("b-failing")) assertSame(one, rowsOf("b-failing")[0])
        assert.strictEqual(recorder.to("b-failing").length, 2)
        assert.strictEqual(recorder.to("dls-b-failing").length, 0)
      })
  )

  it.live("updates and a deletion", () =>
    Effect.gen(function* () {
      const { recorder, url, wait } = yield* makeBackend()
      const { change } = yield* tellingSource({ manifests: [resourceMode], sink: `${url}/cap/b`, wait })
      assert.strictEqual(later.length, 3)
      for (const row of later) {
        yield* change(verbOf(row), objectOf(row))
        assertSame(yield* recorder.next, row)
      }
    })
  )

  it.live("a slow subscriber holds up its kind for every Trigger, but no other kind", () =>
    Effect.gen(function* () {
      const slow = yield* Deferred.make<Answer>()
      const { recorder, url, wait } = yield* makeBackend({
        respond: asCapturedBut({ "e-slow": Deferred.await(slow) })
      })
      const configMap = { apiVersion: "v1", kind: "ConfigMap" }
      const sources = [source("slow", { mode: "Reference", resources: [nixBuild, configMap] })]
      const { change } = yield* tellingSource({ manifests: sources, sink: `${url}/cap/slow`, wait })
      const captured = rowsOf("e-slowall")
      assert.deepStrictEqual(namesOf(captured), ["s-1", "s-cm", "s-2", "s-3"])

      // All are written before any is answered.
      for (const row of captured.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) {
        yield* change(verbOf(row), objectOf(row))
      }
      for (let count = 0; count < 3; count += 1) yield* recorder.next
      assert.deepStrictEqual(namesOf(recorder.to("e-slowall")).toSorted(), ["s-1", "s-cm"])
      yield* Deferred.succeed(slow, answer(204))
      yield* recorder.next
      yield* recorder.next

      const received = recorder.to("e-slowall")
      assert.deepStrictEqual(namesOf(received).slice(2), ["s-2", "s-3"])
      for (const one of received)
        assertSame(
          one,
          captured.find((row) => nameOf(row) === nameOf(one))
        )
      assertSame(recorder.to("e-slow")[0], rowsOf("e-slow")[0])
    })
  )
})

describe("with tracing on", () => {
  for (const [index, row] of readCapture("b-sent", Sent).entries()) {
    const captured = rowsOf("b-trace")[index]
    it.live(`${valueOf(captured?.headers ?? [], "Ce-Id")}: what is passed on of headers, and how data is kept`, () =>
      Effect.gen(function* () {
        const { recorder, url } = yield* makeBackend({ isTracing: true })
        // The case of names means nothing; the Broker writes them in its own.
        const headers = row.headers.map(([name, value]) => [name.toLowerCase(), value] as const)
        const told = yield* send(url, { ...row, headers })
        assert.strictEqual(told.status, row.answer.status)
        assertSame(recorder.to("b-trace")[0], captured)
        assert.strictEqual(recorder.to("b-trace").length, 1)
      })
    )
  }
})
