/** Requests are counted by verb and answer, each once. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream } from "effect"
import { HttpClient, HttpClientError, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { KubernetesApi, layerAt } from "../../lib/kubernetes/connection.ts"
import { counted, withMetrics } from "../metrics/scrape.ts"

const refused = (status: number) => Effect.succeed(HttpServerResponse.jsonUnsafe({ reason: "Because" }, { status }))

const routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/api/v1/pods",
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const query = new URL(url, "http://x").searchParams
      return query.get("watch") === null
        ? HttpServerResponse.jsonUnsafe({
            items: [],
            metadata: { resourceVersion: "1", ...(query.get("continue") === null ? { continue: "more" } : {}) }
          })
        : HttpServerResponse.text(`${JSON.stringify({ type: "DELETED", object: {} })}\n`)
    })
  ),
  HttpRouter.add("GET", "/api/v1/pods/missing", refused(404)),
  HttpRouter.add("PATCH", "/api/v1/pods/changed", refused(409)),
  HttpRouter.add("POST", "/api/v1/pods", refused(429))
)
const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layerTest)
)
const connection = { url: "", token: Effect.succeed(Option.none()) }

const requests = (counts: Record<string, number>) =>
  Object.fromEntries(
    Object.entries(counts).map(([labels, count]) => {
      const [verb, code] = labels.split(" ")
      return [`nixbuild_api_requests_total{verb="${verb}",code="${code}"}`, count]
    })
  )

it.effect("what the API server answers, pages and watches as such", () =>
  Effect.gen(function* () {
    const api = yield* KubernetesApi
    yield* api.follow("/api/v1/pods", {}, (object) => object).pipe(Stream.take(2), Stream.runDrain)
    yield* Effect.ignore(api.request("GET", "/api/v1/pods/missing"))
    yield* Effect.ignore(api.request("PATCH", "/api/v1/pods/changed"))
    yield* Effect.ignore(api.request("PATCH", "/api/v1/pods/changed"))
    yield* Effect.ignore(api.request("POST", "/api/v1/pods"))
    assert.deepStrictEqual(
      yield* counted,
      requests({ "LIST 200": 2, "WATCH 200": 1, "GET 404": 1, "PATCH 409": 2, "POST 429": 1 })
    )
  }).pipe(Effect.provide(layerAt(connection).pipe(Layer.provideMerge(server))), withMetrics)
)

it.effect("no answer, because there is none or none in time, as 0", () => {
  const dead = HttpClient.make((request) =>
    request.method === "GET"
      ? Effect.fail(new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request }) }))
      : Effect.never
  )
  return Effect.gen(function* () {
    const api = yield* KubernetesApi
    yield* Effect.ignore(api.request("GET", "/"))
    const fiber = yield* Effect.forkChild(Effect.flip(api.request("DELETE", "/")))
    yield* TestClock.adjust("20 seconds")
    assert.strictEqual((yield* Fiber.join(fiber)).reason, "Timeout")
    assert.deepStrictEqual(yield* counted, requests({ "GET 0": 1, "DELETE 0": 1 }))
  }).pipe(
    Effect.provide(
      layerAt({ ...connection, url: "http://dead" }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, dead)))
    ),
    withMetrics
  )
})
