/** A kind, a function and a server that live here alone are everywhere where ours are, by their own files and nothing else. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Queue, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { parseAllDocuments } from "yaml"
import { decideAgain } from "../../cli/decisions/decide-again.ts"
import { DecisionRecord } from "../../cli/recordings/recording.ts"
import * as Cache from "../../lib/runtime/watch-cache.ts"
import { makeDispatcher, readTriggers } from "../../embedded/dispatcher.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { makeWholeRecord } from "../../lib/runtime/decision-record.ts"
import { kindsOf } from "../../lib/runtime/function.ts"
import { manifestsOf } from "../../generate/files.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import type { Run } from "../../lib/runtime/observers.ts"
import { Observers } from "../../lib/runtime/observers.ts"
import { reconcile } from "../../lib/runtime/reconcile.ts"
import { Settings } from "../../lib/api/settings.ts"
import { traceIdOf } from "../../lib/telemetry/span.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { settings, twoNodes } from "../memory/given.ts"
import { liveCluster } from "../memory/live.ts"
import { sweepEvent } from "../memory/replica.ts"
import { play } from "../memory/story.ts"
import { makeViews } from "../memory/views.ts"
import { read } from "../manifests/manifest.ts"
import { counted, withMetrics } from "../metrics/scrape.ts"
import { makeCollector, tracesTo } from "../traces/collector.ts"
import { definitions, functions, greeting, ours, servers } from "./toy.ts"
import { greetings } from "./toy/api/greeting.ts"

const made = manifestsOf([...ours, ...definitions])

const documentsOf = (file: string): ReadonlyArray<unknown> =>
  parseAllDocuments(made[file] ?? "").map((document) => document.toJS())

const textOf = (file: string): string => made[file] ?? assert.fail(`${file} is not made`)

const settingsLayer = Layer.succeed(Settings, settings)
const event = {
  ...sweepEvent,
  type: "dev.knative.apiserver.resource.add",
  kind: "Greeting",
  namespace: "apps",
  name: "a"
}

/** What the greeter does with one greeting, watched by `layer`. */
const greetOnce = <A, E, R>(layer: Layer.Layer<A, E, R>) =>
  Effect.gen(function* () {
    const api = makeApiServer()
    yield* Effect.orDie(api.objects.create(greeting("a", "Ada")))
    for (const definition of functions) {
      yield* reconcile(definition, event, event).pipe(
        Effect.provide(Layer.mergeAll(liveCluster(api), settingsLayer, layer))
      )
    }
    return yield* Effect.orDie(api.objects.find(event))
  })

describe("the manifests of the toys", () => {
  it("define the kind, with data in place of spec", () => {
    const [crd] = documentsOf("crds/greetings.yaml")
    const text = JSON.stringify(crd)
    assert.include(text, '"name":"greetings.toys.example.org"')
    assert.include(text, '"required":["data"]')
    assert.include(text, '"to":{"type":"string"')
    assert.include(textOf("crds/kustomization.yaml"), "greetings.yaml")
  })
  it("bring its events to the function", () => {
    assert.include(textOf("eventing/triggers.yaml"), "name: greeter-greeting")
    assert.include(textOf("eventing/sources.yaml"), "name: enbi-greetings")
    assert.include(textOf("eventing/sources-rbac.yaml"), "- greetings")
  })
  it("let the function and the server do what they say that they do, and no more", () => {
    assert.include(textOf("embedded/rbac.yaml"), "greetings/status")
    assert.include(textOf("knative/greeter.yaml"), "greetings/status")
    assert.notInclude(textOf("servers/door.yaml"), "greetings/status")
    assert.include(textOf("servers/door.yaml"), "- greetings")
  })
  it("run the function by itself, and the server in each form", () => {
    assert.include(textOf("knative/kustomization.yaml"), "greeter.yaml")
    assert.include(textOf("without-serving/deployments.yaml"), "/app/functions/greeter.js")
    assert.include(textOf("servers/door.yaml"), "/app/functions/door.js")
    assert.include(textOf("servers/door.yaml"), "name: DOOR_WORDS\n              value: Come in!")
    for (const form of ["knative", "embedded"]) assert.include(textOf(`${form}/kustomization.yaml`), "../servers")
  })
  it.effect("are taken by Kubernetes and Knative", () =>
    Effect.gen(function* () {
      const files = Object.keys(made).filter((file) => !/kustomization|^crds|^servers/.test(file))
      const all = yield* Effect.forEach(files.flatMap(documentsOf), read)
      assert.includeMembers(
        all.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
        ["Service greeter", "Deployment greeter", "Trigger greeter-greeting", "ApiServerSource enbi-greetings"]
      )
    })
  )
})

describe("the toy function", () => {
  it.effect("acts in the one process, by events of its cache, as soon as its CustomResourceDefinition is there", () =>
    Effect.gen(function* () {
      const api = makeApiServer()
      const views = makeViews(api.objects)
      const lines = yield* Queue.unbounded<string>()
      const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => Queue.offerUnsafe(lines, line))])
      let isDefined = false
      const connected = api.connect(views.follow)
      const missing = new KubernetesError({ status: 404, reason: "NotFound", message: "no such resource" })
      const connection = KubernetesApi.of({
        ...connected,
        follow: (path, query, decode) =>
          Stream.suspend(() =>
            isDefined || !path.includes("greetings") ? connected.follow(path, query, decode) : Stream.fail(missing)
          )
      })
      const kinds = kindsOf(functions)
      assert.deepStrictEqual(kinds, [greetings])
      yield* Effect.gen(function* () {
        const triggers = yield* readTriggers(manifestsOf(definitions)["eventing/triggers.yaml"] ?? "")
        const send = yield* makeDispatcher(functions, triggers)
        const cache = yield* Cache.WatchCache
        yield* Effect.forkScoped(cache.follow(send))
        yield* cache.complete
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(
          (yield* Queue.takeAll(lines)).filter((line) => line.includes("CustomResourceDefinition for Greeting")),
          1
        )
        isDefined = true
        yield* Effect.orDie(api.objects.create(greeting("a", "Ada")))
        yield* TestClock.adjust("10 seconds")
        yield* views.relist(["Greeting"])
        const words = Effect.gen(function* () {
          const cluster = yield* Cluster
          return Option.getOrUndefined(yield* cluster.get(greetings, { namespace: "apps", name: "a" }))?.status?.words
        })
        yield* Effect.repeat(TestClock.adjust("1 second"), {
          until: () => Effect.map(words, (said) => said !== undefined)
        })
        assert.strictEqual(yield* words, "Hello, Ada!")
      }).pipe(
        Effect.provide(
          Cache.layer(kinds).pipe(
            Layer.provideMerge(Layer.succeed(KubernetesApi, connection)),
            Layer.merge(settingsLayer),
            Layer.provideMerge(logger)
          )
        ),
        Effect.scoped
      )
    })
  )

  it.effect("obeys the laws beside ours: the same end by the sweep alone, then no writes", () =>
    Effect.gen(function* () {
      const { writes } = yield* play({
        given: [...twoNodes, greeting("a", "Ada"), greeting("b", "Bob")],
        beside: functions
      })
      assert.deepStrictEqual(writes.filter((write) => write.includes("Greeting")).toSorted(), [
        "patch Greeting/apps/a/status",
        "patch Greeting/apps/b/status"
      ])
    })
  )

  it.effect("leaves a decision that is decided again", () =>
    Effect.gen(function* () {
      const runs: Array<Run> = []
      const observer = { onRun: (one: Run) => Effect.sync(() => void runs.push(one)) }
      yield* greetOnce(Layer.succeed(Observers, [observer]))
      const [one] = runs
      if (one === undefined) return assert.fail("no run")
      const record = makeWholeRecord({ ...one, done: one.applied.length })
      const decoded = yield* Schema.decodeUnknownEffect(DecisionRecord)(record)
      assert.deepStrictEqual(yield* decideAgain(functions, { id: "1", record: decoded, show: () => record }), {
        _tag: "Same"
      })
    })
  )

  it.effect("is counted", () =>
    Effect.gen(function* () {
      yield* greetOnce(Layer.empty)
      assert.include(yield* counted, { 'nixbuild_decisions_total{function="greeter",outcome="Done"}': 1 })
    }).pipe(withMetrics)
  )

  it.effect("has its decisions in the trace of its object", () =>
    Effect.gen(function* () {
      const { spans, url } = yield* makeCollector()
      const { metadata } = yield* Effect.scoped(greetOnce(tracesTo(url)))
      assert.deepStrictEqual(
        spans.map(({ attributes, name, trace }) => [name, trace, attributes["enbi.greeting.name"]]),
        [["greeter", traceIdOf(metadata.uid), "a"]]
      )
    })
  )
})

describe("the toy server", () => {
  it.effect("answers its protocol from the cluster", () =>
    Effect.gen(function* () {
      const api = makeApiServer()
      yield* Effect.orDie(api.objects.create({ ...greeting("a"), status: { words: "Hello, a!" } }))
      const [door] = servers
      if (door === undefined) return assert.fail("no server")
      const connection = Layer.succeed(
        KubernetesApi,
        api.connect(() => Stream.never)
      )
      yield* Layer.build(door.layer.pipe(Layer.provide(Layer.merge(liveCluster(api), connection))))
      const response = yield* HttpClient.get("http://127.0.0.1:8081/knock")
      assert.strictEqual(yield* response.text, "Hello, a!")
    }).pipe(Effect.scoped, Effect.provide(NodeHttpClient.layerNodeHttp))
  )
})
