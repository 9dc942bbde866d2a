/** A function's process, as the image has it: what waits to be exported is sent before it ends. */
import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import {
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { createServer } from "node:http"
import { makeProgram, startProgram } from "../server/process.ts"
import { podEvent } from "../server/serve.ts"
import { makeCollector } from "./collector.ts"

const uid = "0c9f7b1e-3b1c-4d6e-8f00-aabbccddeeff"

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "a",
    namespace: "apps",
    uid: "pod",
    resourceVersion: "1",
    annotations: {
      "enbi.hrzn.ee/nixbuild-flakeUrl": "github:a/b",
      "enbi.hrzn.ee/nixbuild-imageTag": "reg.io/a:1",
      "enbi.hrzn.ee/nixbuild-packageName": "a"
    }
  },
  spec: { nodeName: "one", containers: [{ name: "app", image: "reg.io/a:1" }] },
  status: { containerStatuses: [{ name: "app", state: { waiting: { reason: "ErrImagePull" } } }] }
}

const build = {
  metadata: { name: "podwatcher-82e830438c", namespace: "apps", uid, resourceVersion: "1" },
  spec: {
    flakeUrl: "github:a/b",
    imageTag: "reg.io/a:1",
    packageName: "a",
    system: "x86_64-linux",
    nodes: ["one"]
  }
}

const node = {
  metadata: { name: "one", uid: "node", resourceVersion: "1", labels: { "kubernetes.io/arch": "amd64" } },
  spec: {},
  status: {}
}

/** An API server where a Pod waits whose NixBuild is there, and which creates whatever it is asked to. */
const serveApi = Effect.gen(function* () {
  const answer = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.method === "POST") {
      const created = { ...pod, kind: "Event", metadata: { ...pod.metadata, uid: "event" } }
      return HttpServerResponse.jsonUnsafe(created, { status: 201 })
    }
    const [path = ""] = request.url.split("?")
    const found = path.includes("/pods/") ? pod : path.includes("/nixbuilds/") ? build : node
    return HttpServerResponse.jsonUnsafe(
      path.endsWith("/events") ? { items: [], metadata: { resourceVersion: "1" } } : found
    )
  })
  const server = HttpRouter.serve(HttpRouter.add("*", "/*", answer), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  const context = yield* Layer.build(server)
  return yield* HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(context))
})

it.live(
  "on SIGTERM",
  () =>
    Effect.gen(function* () {
      const { spans, url: collector } = yield* makeCollector()
      const { handle, isListening, url } = yield* startProgram(yield* makeProgram("pod-failure-detector"), {
        KUBERNETES_URL: yield* serveApi,
        BUILDER_IMAGE: "builder:1",
        OTEL_EXPORTER_OTLP_ENDPOINT: collector,
        OTEL_RESOURCE_ATTRIBUTES: "service.namespace=enbi"
      })
      yield* isListening
      const request = HttpClientRequest.post(url).pipe(
        HttpClientRequest.bodyText(JSON.stringify(pod), "application/json"),
        HttpClientRequest.setHeaders(podEvent())
      )
      assert.strictEqual((yield* HttpClient.execute(request)).status, 204)
      process.kill(handle.pid, "SIGTERM")
      assert.strictEqual(yield* handle.exitCode, 0)
      assert.deepStrictEqual(
        spans.map(({ name, service, trace }) => [name, service, trace]),
        [
          ["pod-waits", "pod-failure-detector", "0c9f7b1e3b1c4d6e8f00aabbccddeeff"],
          ["pod-failure-detector", "pod-failure-detector", "0c9f7b1e3b1c4d6e8f00aabbccddeeff"]
        ]
      )
    }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, NodeHttpClient.layerNodeHttp])),
  30_000
)
