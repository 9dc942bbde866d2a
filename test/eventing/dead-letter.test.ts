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
  it.effect("logs what the event says of itself, not what it brings, and answers with nothing", () => {
    const { lines, server } = listen()
    return Effect.gen(function* () {
      const response = yield* post('{"kind":"Node","env":[{"name":"PASSWORD","value":"secret"}]}')
      assert.strictEqual(response.status, 204)
      assert.strictEqual(yield* response.text, "")
      const { "kn-namespace": _, ...ofEvent } = headers
      assert.deepStrictEqual(lines, [["left to the next sweep", ofEvent]])
    }).pipe(Effect.provide(server))
  })

  it.effect("takes events of any size, or the Broker would have nowhere to leave them", () => {
    const { lines, server } = listen()
    return Effect.gen(function* () {
      for (let times = 0; times < 3; times += 1) assert.strictEqual((yield* post("x".repeat(2_000_000))).status, 204)
      assert.lengthOf(lines, 3)
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
