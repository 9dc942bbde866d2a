/** What the source never tells, in which order it tells the rest, and what it watches. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { answer, type Answer, valueOf } from "./http.ts"
import type { Received } from "./recorder.ts"
import { source, recordedSource } from "./told-source.ts"

const configMaps = { apiVersion: "v1", kind: "ConfigMap" }
const pods = { apiVersion: "v1", kind: "Pod" }

const configMap = (name: string): KubernetesObject => ({ ...configMaps, metadata: { name, namespace: "cap" } })
const pod = (name: string): KubernetesObject => ({ ...pods, metadata: { name, namespace: "cap" } })

const nameOf = ({ headers }: Received) => valueOf(headers, "Ce-Name") ?? valueOf(headers, "Ce-Type")

const ping = {
  apiVersion: "sources.knative.dev/v1",
  kind: "PingSource",
  metadata: { name: "sweep" },
  spec: { schedule: "*/30 * * * * *", sink: {} }
}

const telling = (
  manifests: ReadonlyArray<object>,
  respond: (label: string, index: number) => Effect.Effect<Answer> = () => Effect.succeed(answer(202))
) => recordedSource({ manifests, target: "/sink", respond })

describe("what is lost", () => {
  it.effect("what is there at the start, and what a new list shows", () =>
    Effect.gen(function* () {
      const { change, isListed, list, recorder } = yield* telling([source("s", { resources: [configMaps] })])
      assert.isFalse(yield* isListed)
      yield* list(configMap("before"))
      yield* change("ADDED", configMap("first"))
      assert.strictEqual(nameOf(yield* recorder.next), "first")
      assert.isTrue(yield* isListed)
      // As after a 410: `between` changed while nobody watched.
      yield* list(configMap("before"), configMap("first"), configMap("between"))
      yield* change("MODIFIED", configMap("second"))
      assert.strictEqual(nameOf(yield* recorder.next), "second")
    })
  )

  it.effect("what changes in a gap that was asked for, and nothing after it", () =>
    Effect.gen(function* () {
      const { beginGap, change, endGap, followed, forget, isListed, list, recorder } = yield* telling([
        source("s", { resources: [configMaps, pods] })
      ])
      yield* list(configMap("before"))
      yield* list(pod("before"))
      yield* change("ADDED", configMap("first"))
      assert.strictEqual(nameOf(yield* recorder.next), "first")
      assert.isTrue(yield* isListed)
      yield* beginGap
      yield* change("ADDED", configMap("in the gap"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* forget(configMap("")), 1)
      yield* list(configMap("in the gap"))
      yield* list(pod("in the gap"))
      yield* endGap
      assert.isTrue(yield* isListed)
      yield* change("MODIFIED", pod("after"))
      assert.strictEqual(nameOf(yield* recorder.next), "after")
      assert.deepStrictEqual(followed, ["/api/v1/configmaps", "/api/v1/pods", "/api/v1/configmaps", "/api/v1/pods"])
    })
  )

  it.effect("every change while all are dropped, but no tick", () =>
    Effect.gen(function* () {
      const { change, recorder, setDropping } = yield* telling([source("s", { resources: [configMaps] }), ping])
      yield* setDropping(true)
      yield* change("ADDED", configMap("dropped"))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(nameOf(yield* recorder.next), "dev.knative.sources.ping")
      assert.strictEqual(nameOf(yield* recorder.next), "dev.knative.sources.ping")
      yield* setDropping(false)
      yield* change("DELETED", configMap("told"))
      assert.strictEqual(nameOf(yield* recorder.next), "told")
    })
  )
})

it.effect("one kind is told in order, one event after the other, and does not wait for another kind", () =>
  Effect.gen(function* () {
    const first = yield* Deferred.make<Answer>()
    const { change, recorder } = yield* telling([source("s", { resources: [configMaps, pods] })], (_, index) =>
      index === 0 ? Deferred.await(first) : Effect.succeed(answer(204))
    )
    yield* change("ADDED", configMap("1"))
    assert.strictEqual(nameOf(yield* recorder.next), "1")
    yield* change("MODIFIED", configMap("2"))
    yield* change("DELETED", configMap("3"))
    yield* change("ADDED", pod("other"))
    // The first ConfigMap is not answered yet, so nothing but the Pod can come.
    assert.strictEqual(nameOf(yield* recorder.next), "other")
    yield* Deferred.succeed(first, answer(204))
    assert.strictEqual(nameOf(yield* recorder.next), "2")
    assert.strictEqual(nameOf(yield* recorder.next), "3")
  })
)

describe("what is watched", () => {
  it.effect("the source's own namespace unless a selector says all, and only what the labels select", () =>
    Effect.gen(function* () {
      const labelled = {
        ...pods,
        selector: {
          matchLabels: { a: "b" },
          matchExpressions: [
            { key: "in", operator: "In", values: ["x", "y"] },
            { key: "not", operator: "NotIn", values: ["z"] },
            { key: "there", operator: "Exists" },
            { key: "gone", operator: "DoesNotExist" }
          ]
        }
      }
      const nodes = { apiVersion: "v1", kind: "Node" }
      const { followed, isListed, list } = yield* telling([
        source("own", { namespaceSelector: undefined, resources: [configMaps, nodes] }),
        source("all", { resources: [labelled, { apiVersion: "v1", kind: "NoSuchKind" }] })
      ])
      yield* list({ ...nodes, metadata: { name: "n" } })
      assert.isFalse(yield* isListed)
      assert.deepStrictEqual(followed, [
        "/api/v1/namespaces/cap/configmaps",
        "/api/v1/nodes",
        "/api/v1/pods?a=b,in in (x,y),not notin (z),there,!gone"
      ])
    })
  )

  it.effect("nothing at all when a group and version is not there", () =>
    Effect.gen(function* () {
      const absent = { apiVersion: "absent.example/v1", kind: "Foo" }
      const error = yield* Effect.flip(telling([source("s", { resources: [configMaps, absent] })]))
      assert.include(String(error), "absent.example/v1")
    })
  )
})
