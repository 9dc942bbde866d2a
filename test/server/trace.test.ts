/** The trace that an event belongs to goes on: in our spans, in decision records, and in requests to the API server. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Tracer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Action } from "../../lib/runtime/action.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { Cluster, layerLive } from "../../lib/kubernetes/cluster.ts"
import { layerAt } from "../../lib/kubernetes/connection.ts"
import { Receiver } from "../../lib/server/receiver.ts"
import { Settings } from "../../lib/api/settings.ts"
import { settings } from "../memory/given.ts"
import { fake, type Headers, podEvent, post, serve } from "./serve.ts"

const podAttributes = {
  specversion: "1.0",
  id: "1",
  source: "/s",
  type: "t",
  kind: "Pod",
  namespace: "apps",
  name: "a"
} as const

const trace = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`

/** The spans that are made while `self` runs. */
const spansOf = <A, E, R>(self: Effect.Effect<A, E, R>) => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return Effect.map(Effect.provideService(self, Tracer.Tracer, tracer), () => spans)
}

describe("an event's trace", () => {
  const rows: Record<string, readonly [headers: Headers, trace: string | undefined]> = {
    "comes by the header, as Knative sends it": [{ traceparent: trace("1") }, trace("1")],
    "comes by the attribute, which says where the event began": [
      { "ce-traceparent": trace("2"), traceparent: trace("1") },
      trace("2")
    ],
    "comes by the header when the attribute is none": [
      { "ce-traceparent": "00-xyzzy", traceparent: trace("1") },
      trace("1")
    ],
    "is none when nobody names one": [{}, undefined],
    "is none when all is zero, which means that": [{ traceparent: trace("0") }, undefined]
  }
  const remove: Action = {
    action: "Delete",
    why: "a test",
    target: { kind: "Pod", name: "gone", uid: "gone", resourceVersion: "1" }
  }
  for (const [what, [headers, traceparent]] of Object.entries(rows)) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const logs: Array<string> = []
        const definition = fake({ decide: () => [remove] })
        const spans = yield* spansOf(post(podEvent(headers)).pipe(Effect.provide(serve(definition, undefined, logs))))
        const span = spans.find(({ kind, name }) => name === "fake" && kind === "consumer")
        const parent = span === undefined ? Option.none() : span.parent
        const [, traceId, spanId] = traceparent?.split("-") ?? []
        assert.strictEqual(Option.getOrUndefined(parent)?.spanId, spanId)
        if (traceId !== undefined) assert.strictEqual(span?.traceId, traceId)
        const record = logs.find((line) => line.includes("decided")) ?? ""
        assert.strictEqual(/"traceparent":"([^"]*)"/.exec(record)?.[1], traceparent)
      })
    )
  }

  it.effect("reaches the API server", () => {
    const asked: Array<string | undefined> = []
    const api = HttpRouter.serve(
      HttpRouter.add(
        "GET",
        "/api/v1/namespaces/apps/pods/a",
        Effect.gen(function* () {
          asked.push((yield* HttpServerRequest.HttpServerRequest).headers["traceparent"])
          return HttpServerResponse.jsonUnsafe({ reason: "NotFound" }, { status: 404 })
        })
      ),
      { disableLogger: true, disableListenLog: true }
    ).pipe(Layer.provideMerge(NodeHttpServer.layerTest))
    const clusterLayer = layerLive.pipe(
      Layer.provide(layerAt({ url: "", token: Effect.succeedNone })),
      Layer.provide(api)
    )
    const observe = () => Effect.flatMap(Cluster, (cluster) => cluster.get(pods, { namespace: "apps", name: "a" }))
    const receiver = Receiver.layer(fake({ observe })).pipe(
      Layer.provide(Layer.mergeAll(clusterLayer, Layer.succeed(Settings, settings)))
    )
    return Effect.gen(function* () {
      const { receive } = yield* Receiver
      yield* receive({ bytes: 0, read: Effect.succeed({ attributes: podAttributes }), traceparent: trace("3") })
      assert.lengthOf(asked, 1)
      assert.match(asked[0] ?? "", new RegExp(`^00-${"3".repeat(32)}-(?!3{16})[0-9a-f]{16}-01$`))
    }).pipe(Effect.provide(receiver))
  })
})
