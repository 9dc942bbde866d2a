/** Who may push, what is passed on of it to CNCF Distribution, and what comes back. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Layer, Result, Schema, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http"
import { createHash } from "node:crypto"
import type { Socket } from "node:net"
import { checkPublish, locationFor } from "../../functions/image-registry/publish-request.ts"
import { publish } from "../../functions/image-registry/publish.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { type Asked, askAt, portOf } from "./world.ts"

const audience = "enbi-image-registry"
const publisher = "system:serviceaccount:enbi-system:enbi-publish"
const digest = `sha256:${"0".repeat(64)}`

const known = (username: string, audiences: ReadonlyArray<string> = [audience]) => ({
  status: { authenticated: true, audiences, user: { username } }
})

/** What the API server says of each token. */
const tokens: Readonly<Record<string, object>> = {
  ours: known(publisher),
  "an-importer's": known("system:serviceaccount:enbi-system:enbi-import"),
  "a-tenant's": known("system:serviceaccount:apps:enbi-publish"),
  "for-the-API-server": known(publisher, ["https://kubernetes.default.svc"]),
  forged: { status: { authenticated: false, error: "invalid bearer token" } },
  "while-away": new KubernetesError({ status: 503, reason: "No", message: "no answer in 20 s" })
}

const readReview = Schema.decodeUnknownSync(
  Schema.Struct({ spec: Schema.Struct({ token: Schema.String, audiences: Schema.Tuple([Schema.Literal(audience)]) }) })
)

const makeApi = () => {
  const asked: Array<string> = []
  const api = KubernetesApi.of({
    request: (_method, _path, options) =>
      Effect.suspend(() => {
        const { token } = readReview(options?.body?.value).spec
        asked.push(token)
        const answer = tokens[token]
        return answer instanceof KubernetesError ? Effect.fail(answer) : Effect.succeed(answer)
      }),
    list: () => Effect.die("nothing is listed"),
    follow: () => Stream.never
  })
  return { api, asked }
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void

/** In Distribution's place. */
const standIn = (answering: Answering) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(answering).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => (server.close(), server.closeAllConnections()))
    ),
    (server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
    }
  )

const serve = Effect.fnUntraced(function* (
  distribution: string,
  beside: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerNodeHttp
) {
  const { api, asked } = makeApi()
  const services = yield* Layer.build(
    publish.pipe(
      Layer.provideMerge(NodeHttpServer.layerServer(() => createServer(), { port: 0, host: "127.0.0.1" })),
      Layer.provide(Layer.succeed(KubernetesApi, api)),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DISTRIBUTION_URL: distribution }))),
      Layer.provideMerge(beside)
    )
  )
  const port = yield* Effect.provide(portOf, services)
  return { port, reviews: asked, ask: askAt(port) }
})

const authorized = { authorization: "Bearer ours" }

/** Says what it was asked. */
const telling = () => {
  const seen: Array<{ readonly line: string; readonly headers: IncomingHttpHeaders; readonly body: string }> = []
  const answering: Answering = (incoming, response) => {
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => {
      const { headers, method, url } = incoming
      seen.push({ line: `${method} ${url}`, headers, body: Buffer.concat(chunks).toString() })
      response
        .writeHead(202, {
          location: `http://${headers.host}/v2/apps/x/blobs/uploads/1-a?_state=x%3D%3D`,
          "docker-upload-uuid": "1-a",
          range: "0-0",
          "content-length": "0"
        })
        .end()
    })
  }
  return { seen, answering }
}

const send = (port: number, { headers, method, path }: Required<Asked>, body: ReadonlyArray<Uint8Array>) =>
  Effect.callback<number, Error>((resume) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
      response.resume()
      response.on("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
    })
    sent.on("error", (error) => resume(Effect.fail(error)))
    for (const chunk of body) sent.write(chunk)
    sent.end()
  })

describe("who pushes", () => {
  const callers: Record<string, readonly [authorization: string | undefined, status: number, code?: string]> = {
    "a publish Job": ["Bearer ours", 202],
    "a publish Job, in another spelling": ["bearer  ours", 202],
    nobody: [undefined, 401, "UNAUTHORIZED"],
    "a user with a password": ["Basic b3Vyczo=", 401, "UNAUTHORIZED"],
    "one with a forged token": ["Bearer forged", 401, "UNAUTHORIZED"],
    "one whose token is for the API server": ["Bearer for-the-API-server", 401, "UNAUTHORIZED"],
    "another account of ours": ["Bearer an-importer's", 403, "DENIED"],
    "an account of the same name in a tenant's namespace": ["Bearer a-tenant's", 403, "DENIED"],
    "somebody, while the API server is away": ["Bearer while-away", 503, "UNAVAILABLE"]
  }
  for (const [who, [authorization, status, code]] of Object.entries(callers)) {
    it.effect(`${who}: ${status}`, () =>
      Effect.gen(function* () {
        const { answering, seen } = telling()
        const { ask } = yield* serve(yield* standIn(answering))
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
        const answer = yield* ask({ method: "POST", path: "/v2/apps/x/blobs/uploads/", headers })
        assert.strictEqual(answer.status, status)
        assert.lengthOf(seen, code === undefined ? 1 : 0)
        if (code === undefined) return
        const [error, ...more] = JSON.parse(answer.body.toString()).errors
        assert.deepStrictEqual([error.code, more], [code, []])
        assert.strictEqual(answer.headers["www-authenticate"], status === 401 ? "Bearer" : undefined)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("is asked about once a minute", () =>
    Effect.gen(function* () {
      const { ask, reviews } = yield* serve(yield* standIn(telling().answering))
      const push = ask({ method: "POST", path: "/v2/apps/x/blobs/uploads/", headers: authorized })
      for (let pushes = 0; pushes < 5; pushes += 1) assert.strictEqual((yield* push).status, 202)
      assert.deepStrictEqual(reviews, ["ours"])
      yield* TestClock.adjust("1 minute")
      yield* push
      assert.deepStrictEqual(reviews, ["ours", "ours"])
    }).pipe(Effect.scoped)
  )
})

describe("a push", () => {
  it.effect("goes to Distribution without the token, and leads back here", () =>
    Effect.gen(function* () {
      const { answering, seen } = telling()
      const { port } = yield* serve(yield* standIn(answering))
      const path = `/v2/apps/x/blobs/uploads/1-a?_state=x%3D%3D&digest=${digest}`
      const headers = {
        ...authorized,
        "content-type": "application/octet-stream",
        "content-range": "0-9",
        "content-length": "10"
      }
      assert.strictEqual(yield* send(port, { method: "PATCH", path, headers }, [Buffer.from("0123456789")]), 202)
      const [{ body, headers: passed, line }] = yield* Effect.succeed([seen[0] ?? assert.fail("nothing came")] as const)
      assert.strictEqual(line, `PATCH ${path}`)
      assert.strictEqual(body, "0123456789")
      const { authorization, "content-length": length, "content-range": range, "content-type": type } = passed
      assert.deepStrictEqual([authorization, length, range, type], [undefined, "10", "0-9", "application/octet-stream"])
    }).pipe(Effect.scoped)
  )

  it.effect("is answered with Distribution's headers, the location without its address", () =>
    Effect.gen(function* () {
      const { ask } = yield* serve(yield* standIn(telling().answering))
      const { headers } = yield* ask({ method: "POST", path: "/v2/apps/x/blobs/uploads/", headers: authorized })
      const { location, range, "content-length": length, "docker-upload-uuid": uuid } = headers
      assert.deepStrictEqual(
        [location, range, length, uuid],
        ["/v2/apps/x/blobs/uploads/1-a?_state=x%3D%3D", "0-0", "0", "1-a"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("streams: Distribution has the beginning before the client has sent the end", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const hash = createHash("sha256")
      const distribution = yield* standIn((incoming, response) => {
        incoming.on("data", (chunk: Buffer) => {
          Deferred.doneUnsafe(arrived, Effect.void)
          hash.update(chunk)
        })
        incoming.on("end", () => response.writeHead(201, { "docker-content-digest": digest }).end())
      })
      const { port } = yield* serve(distribution)
      const [half] = [new Uint8Array(300_000).fill(7)]
      const answer = yield* Deferred.make<number>()
      const sent = request(
        {
          host: "127.0.0.1",
          port,
          method: "PUT",
          path: `/v2/apps/x/blobs/uploads/1?digest=${digest}`,
          headers: authorized,
          agent: false
        },
        (response) => {
          response.resume()
          Deferred.doneUnsafe(answer, Effect.succeed(response.statusCode ?? 0))
        }
      )
      sent.write(half)
      yield* Deferred.await(arrived)
      sent.end(half)
      assert.strictEqual(yield* Deferred.await(answer), 201)
      assert.strictEqual(hash.digest("hex"), createHash("sha256").update(half).update(half).digest("hex"))
    }).pipe(Effect.scoped)
  )

  it.effect("has connections left however many looks came before: each gives its own back", () =>
    Effect.gen(function* () {
      const connections = new Set<Socket>()
      const distribution = yield* standIn(({ socket }, response) => {
        connections.add(socket)
        response.writeHead(404, { "content-type": "application/json", "content-length": "157" }).end()
      })
      // As in the process, where the client of the API server is built first, and its pool is everybody's.
      const { ask } = yield* serve(
        distribution,
        NodeHttpClient.layerNodeHttpOptions({ keepAlive: true, maxSockets: 4 })
      )
      const headers = { authorization: "Bearer ours" }
      for (let count = 0; count < 10; count += 1) {
        assert.strictEqual((yield* ask({ method: "HEAD", path: `/v2/a/blobs/${digest}`, headers })).status, 404)
      }
      // One that was not given back would have to be closed before another can be opened.
      assert.isAtMost(connections.size, 4)
    }).pipe(Effect.scoped)
  )

  it.effect("looks before it pushes: HEAD and GET come with type, length and digest", () =>
    Effect.gen(function* () {
      const distribution = yield* standIn((incoming, response) => {
        response.writeHead(200, { "content-type": "a/b", "content-length": "3", "docker-content-digest": digest })
        response.end(incoming.method === "HEAD" ? undefined : "abc")
      })
      const { ask } = yield* serve(distribution)
      for (const path of [`/v2/apps/x/blobs/${digest}`, "/v2/apps/x/manifests/v1", "/v2/"]) {
        for (const method of ["HEAD", "GET"]) {
          const { body, headers, status } = yield* ask({ method, path, headers: authorized })
          const { "content-length": length, "content-type": type, "docker-content-digest": found } = headers
          assert.deepStrictEqual([status, length, type, found], [200, "3", "a/b", digest])
          assert.strictEqual(body.toString(), method === "HEAD" ? "" : "abc")
        }
      }
    }).pipe(Effect.scoped)
  )

  it.effect("while Distribution is away is refused with 503, and taken again when it is back", () =>
    Effect.gen(function* () {
      const { ask } = yield* serve("http://127.0.0.1:1")
      const answer = yield* ask({ method: "POST", path: "/v2/apps/x/blobs/uploads/", headers: authorized })
      assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "10"])
      assert.include(answer.body.toString(), "Distribution does not answer")
    }).pipe(Effect.scoped)
  )

  it.effect("that Distribution refuses is refused in its words", () =>
    Effect.gen(function* () {
      const words = '{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}'
      const distribution = yield* standIn((_, response) => {
        response.writeHead(400, { "content-type": "application/json" }).end(words)
      })
      const { ask } = yield* serve(distribution)
      const answer = yield* ask({ method: "PUT", path: "/v2/apps/x/manifests/v1", headers: authorized })
      assert.deepStrictEqual([answer.status, answer.body.toString()], [400, words])
    }).pipe(Effect.scoped)
  )
})

describe("of a push is passed on", () => {
  const rows: ReadonlyArray<readonly [method: string, url: string, expected: string]> = [
    ["GET", "/v2/", "passed on"],
    ["POST", "/v2/", "405"],
    ["POST", "/v2/a/b/blobs/uploads/", "passed on"],
    ["POST", `/v2/a/b/blobs/uploads/?mount=${digest}&from=c`, "passed on"],
    ["PATCH", "/v2/a/b/blobs/uploads/1-a_=?_state=x", "passed on"],
    ["PUT", `/v2/a/b/blobs/uploads/1?digest=${digest}`, "passed on"],
    ["GET", "/v2/a/b/blobs/uploads/1", "passed on"],
    ["HEAD", `/v2/a/b/blobs/${digest}`, "passed on"],
    ["GET", `/v2/a/b/blobs/${digest}`, "passed on"],
    ["PUT", "/v2/a/b/manifests/v1", "passed on"],
    ["PUT", `/v2/a/b/manifests/${digest}`, "passed on"],
    ["HEAD", "/v2/a/b/manifests/v1", "passed on"],
    ["DELETE", "/v2/a/b/manifests/v1", "405"],
    ["DELETE", `/v2/a/b/blobs/${digest}`, "405"],
    ["DELETE", "/v2/a/b/blobs/uploads/1", "405"],
    ["GET", "/v2/a/b/blobs/uploads/", "405"],
    ["PUT", `/v2/a/b/blobs/${digest}`, "405"],
    ["PUT", "/v2/A/manifests/v1", "400"],
    ["PUT", "/v2/a/b/manifests/-v1", "400"],
    ["PUT", "/v2/a/b/manifests/sha256:1", "400"],
    ["HEAD", "/v2/a/b/blobs/v1", "400"],
    ["POST", "/v2/a/../b/blobs/uploads/", "400"],
    ["PATCH", "/v2/a/b/blobs/uploads/..", "404"],
    ["PATCH", "/v2/a/b/blobs/uploads/1%2f..", "404"],
    ["GET", "/v2/a/b/tags/list", "404"],
    ["GET", "/v2/_catalog", "404"],
    ["GET", "/debug/vars", "404"],
    ["GET", "/v2", "404"]
  ]
  for (const [method, url, expected] of rows) {
    it(`${method} ${url.replace(digest, "sha256:0…")}: ${expected}`, () => {
      const found = Result.match(checkPublish({ method, url }), {
        onSuccess: (allowed) => (allowed === method ? "passed on" : "as another method"),
        onFailure: ({ status }) => `${status}`
      })
      assert.strictEqual(found, expected)
    })
  }
})

describe("a location", () => {
  const distribution = "http://127.0.0.1:5000"
  const rows: ReadonlyArray<readonly [what: string, location: string, expected: string]> = [
    ["of Distribution", "http://127.0.0.1:5000/v2/x/blobs/uploads/1?_state=a", "/v2/x/blobs/uploads/1?_state=a"],
    ["without an address (relativeurls)", "/v2/x/blobs/uploads/1?_state=a", "/v2/x/blobs/uploads/1?_state=a"],
    ["of a bucket", "https://bucket.example/x?X-Amz-Signature=1", "https://bucket.example/x?X-Amz-Signature=1"],
    ["of nothing", "http://", "http://"]
  ]
  for (const [what, location, expected] of rows) {
    it(`${what} becomes ${expected}`, () => assert.strictEqual(locationFor(location, distribution), expected))
  }
})
