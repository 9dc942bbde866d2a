/** What becomes of an event that no function could take. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { HttpBody, HttpClient, HttpRouter } from "effect/http"
import { routes } from "../../eventing/dead-letter-routes.ts"

const listen = () => {
  const lines: Array<unknown> = []
  const logger = Logger.layer([Logger.make(({ message }) => void lines.push(message))])
  const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layerTest),
    Layer.provideMerge(logger)
  )
  return { lines, server }
}

// As a Broker sends it after the last try: its own headers beside those of the event.
const headers = {
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-type": "dev.knative.apiserver.ref.update",
  "ce-source": "https://10.96.0.1:443",
  "ce-kind": "Node",
  "ce-namespace": "",
  "ce-knativeerrordest": "http://scheduler.enbi-system.svc.cluster.local",
  "ce-knativeerrorcode": "503",
  "kn-namespace": "enbi-system"
}

const post = (body: string) => HttpClient.post("/", { headers, body: HttpBody.text(body, "application/json") })

describe("dead letter sink", () => {
  it.effect("logs the event as it came and answers with nothing", () => {
    const { lines, server } = listen()
    return Effect.gen(function* () {
      const body = '{"kind":"Node","name":"n"}'
      const response = yield* post(body)
      assert.strictEqual(response.status, 204)
      assert.strictEqual(yield* response.text, "")
      const { "kn-namespace": _, ...ofEvent } = headers
      const expected = { headers: { ...ofEvent, "content-type": "application/json" }, body }
      assert.deepStrictEqual(lines, [["left to the next sweep", expected]])
    }).pipe(Effect.provide(server))
  })

  it.effect("takes an event that is too large to log, or the Broker would have nowhere to leave it", () => {
    const { lines, server } = listen()
    return Effect.gen(function* () {
      assert.strictEqual((yield* post("x".repeat(100_000))).status, 204)
      assert.include(JSON.stringify(lines), "more than 64 KiB")
      assert.isBelow(JSON.stringify(lines).length, 1000)
    }).pipe(Effect.provide(server))
  })

  it.effect("is ready and alive", () => {
    const { server } = listen()
    return Effect.gen(function* () {
      for (const path of ["/health/readiness", "/health/liveness"]) {
        assert.strictEqual((yield* HttpClient.get(path)).status, 200)
      }
    }).pipe(Effect.provide(server))
  })
})
