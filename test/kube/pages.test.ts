/** A long list costs no more memory at once than a page of it. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { KubernetesApi, layerAt } from "../../lib/kubernetes/connection.ts"

it.effect("what is read of a page is all that is kept when the next is asked for", () => {
  const told: Array<string> = []
  const pages = HttpRouter.add(
    "GET",
    "/api/v1/pods",
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const page = Number(new URL(url, "http://x").searchParams.get("continue") ?? 0)
      told.push(`page ${page}`)
      return HttpServerResponse.jsonUnsafe({
        items: [{ name: `${page}a` }, { name: `${page}b` }],
        metadata: { resourceVersion: "7", ...(page < 2 ? { continue: String(page + 1) } : {}) }
      })
    })
  )
  const layer = layerAt({ url: "", token: Effect.succeedNone }).pipe(
    Layer.provide(HttpRouter.serve(pages, { disableLogger: true, disableListenLog: true })),
    Layer.provide(NodeHttpServer.layerTest)
  )
  return Effect.gen(function* () {
    const api = yield* KubernetesApi
    const read = (object: unknown) => told.push(`read ${JSON.stringify(object)}`)
    const { items, resourceVersion } = yield* api.list("/api/v1/pods", {}, read)
    assert.deepStrictEqual(told, [
      "page 0",
      'read {"name":"0a"}',
      'read {"name":"0b"}',
      "page 1",
      'read {"name":"1a"}',
      'read {"name":"1b"}',
      "page 2",
      'read {"name":"2a"}',
      'read {"name":"2b"}'
    ])
    assert.strictEqual(resourceVersion, "7")
    assert.lengthOf(items, 6)
  }).pipe(Effect.provide(layer))
})
