/** The source against the captures of ApiServerSource and PingSource: same object, same answers, same requests. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { answerTo, bodyOf, Captured, comparable, gapsIn, readCapture } from "./captures.ts"
import { answer, valueOf } from "./http.ts"
import type { Received } from "./recorder.ts"
import { objectOf, recordedSource, source, verbOf } from "./told-source.ts"

const accepting = () => Effect.succeed(answer(204))

const namespaced = [
  { apiVersion: "v1", kind: "Pod", selector: { matchLabels: { cap: "a" } } },
  { apiVersion: "batch/v1", kind: "Job" },
  { apiVersion: "enbi.hrzn.ee/v1alpha1", kind: "NixBuild" }
]
const nodes = [{ apiVersion: "v1", kind: "Node" }]

const sources: Readonly<Record<string, object>> = {
  "a-res": { mode: "Resource", resources: namespaced },
  "a-ref": { mode: "Reference", resources: namespaced },
  "a-node": { mode: "Resource", resources: nodes },
  // Reference is the default.
  "a-noderef": { resources: nodes, ceOverrides: { extensions: { cluster: "kind-t" } } }
}

const rows = [...readCapture("a-direct", Captured), ...readCapture("b-broker", Captured)]

describe("an event on the wire", () => {
  for (const [label, spec] of Object.entries(sources)) {
    it.effect(`${label}: add, update and delete as captured, headers and body to the byte`, () =>
      Effect.gen(function* () {
        const captured = rows.filter((row) => row.label === label)
        const { change, recorder } = yield* recordedSource({
          manifests: [source(label, spec)],
          target: `/${label}/204`,
          respond: accepting
        })
        assert.isAtLeast(captured.length, 6)
        for (const row of captured) {
          yield* change(verbOf(row), objectOf(row))
          const received = yield* recorder.next
          assert.deepStrictEqual(comparable(received), comparable({ headers: row.headers, body: bodyOf(row) }))
          assert.strictEqual(received.body.toString("utf8"), row.body)
          assert.strictEqual(`${received.method} ${received.target}`, `POST ${row.target}`)
        }
        const ids = recorder.to(label).map(({ headers }) => valueOf(headers, "Ce-Id"))
        assert.strictEqual(new Set(ids).size, captured.length)
      })
    )
  }

  it.effect("a tick: the manifest's data as it stands there, no subject", () =>
    Effect.gen(function* () {
      const captured = readCapture("g-ping", Captured)
      const ping = {
        apiVersion: "sources.knative.dev/v1",
        kind: "PingSource",
        metadata: { name: "tick", namespace: "cap" },
        spec: {
          schedule: "*/10 * * * * *",
          contentType: "application/json",
          data: '{"message": "resync", "n": 1}',
          sink: {}
        }
      }
      const { recorder } = yield* recordedSource({ manifests: [ping], target: "/g-ping/204", respond: accepting })
      for (const row of captured) {
        yield* TestClock.adjust("10 seconds")
        const received = yield* recorder.next
        assert.deepStrictEqual(comparable(received), comparable({ headers: row.headers, body: bodyOf(row) }))
        assert.strictEqual(received.body.toString("utf8"), row.body)
      }
    })
  )
})

describe("what becomes of an event", () => {
  for (const row of readCapture("d-source", Captured)) {
    it.effect(`when the sink does as ${row.label}: as many tries, at the same gaps, with the same id`, () =>
      Effect.gen(function* () {
        const { change, recorder } = yield* recordedSource({
          manifests: [source("ds", { mode: "Reference", resources: [{ apiVersion: "v1", kind: "ConfigMap" }] })],
          target: row.target,
          respond: (_, index) => Effect.succeed(index < row.atMillis.length ? answerTo(row, index) : answer(204))
        })
        const object = objectOf(row)
        yield* change("ADDED", object)
        // The next event of the kind is sent only when this one is through, so it tells that no try is to come.
        yield* change("ADDED", { ...object, metadata: { ...object.metadata, name: "next" } })
        const tries: Array<Received> = []
        let received = yield* recorder.next
        for (; valueOf(received.headers, "Ce-Name") !== "next"; received = yield* recorder.next) tries.push(received)

        for (const one of tries) {
          assert.deepStrictEqual(comparable(one), comparable({ headers: row.headers, body: bodyOf(row) }))
          assert.deepStrictEqual(one.headers, tries[0]?.headers)
        }
        assert.deepStrictEqual(
          gapsIn(
            100,
            tries.map(({ atMillis }) => atMillis)
          ),
          gapsIn(100, row.atMillis)
        )
        assert.strictEqual(tries.length, row.atMillis.length)
      })
    )
  }
})
