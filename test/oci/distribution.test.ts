/** What the registry protocol answers over a store that is all in memory. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Result, Stream } from "effect"
import { HttpClient, type HttpMethod, HttpClientRequest, HttpRouter } from "effect/http"
import { type Content, ContentStore } from "../../lib/oci/content-store.ts"
import { distributionRoutes } from "../../lib/oci/distribution-routes.ts"
import {
  blobUnknown,
  denied,
  manifestUnknown,
  nameUnknown,
  parseRange,
  parseRequest
} from "../../lib/oci/distribution.ts"
import { digestOf } from "../../lib/oci/image.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const wholeOf = (text: string): Content => {
  const bytes = bytesOf(text)
  return { digest: digestOf(bytes), size: bytes.length, bytes: Stream.succeed(bytes) }
}
const index = { ...wholeOf("{}"), mediaType: "application/vnd.oci.image.index.v1+json" }
const digits = "0123456789"
const blob: Content = {
  ...wholeOf(digits),
  part: ({ first, last }) => Stream.succeed(bytesOf(digits.slice(first, last + 1)))
}
const whole = wholeOf("all or nothing")
const absent = digestOf(bytesOf("absent"))

const store = Layer.succeed(ContentStore, {
  manifest: ({ name, reference }) =>
    name === "secret"
      ? Effect.fail(denied("Not for you."))
      : reference === "v1" || reference === index.digest
        ? Effect.succeed(index)
        : Effect.fail(manifestUnknown(reference)),
  blob: ({ reference }) => {
    const found = [blob, whole].find(({ digest }) => digest === reference)
    return found === undefined ? Effect.fail(blobUnknown(reference)) : Effect.succeed(found)
  },
  tags: (name) => (name === "a/b" ? Effect.succeed(["v1", "v2"]) : Effect.fail(nameUnknown(name)))
})

const server = HttpRouter.serve(distributionRoutes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(store),
  Layer.provideMerge(NodeHttpServer.layerTest)
)

interface Asked {
  readonly method?: HttpMethod.HttpMethod
  readonly path: string
  readonly range?: string
}

const ask = Effect.fnUntraced(function* ({ method = "GET", path, range }: Asked) {
  const request = HttpClientRequest.make(method)(path).pipe(
    HttpClientRequest.setHeaders(range === undefined ? {} : { range })
  )
  const response = yield* HttpClient.execute(request)
  const { headers, status } = response
  return { status, headers, text: yield* response.text }
})

const octets = "application/octet-stream"

layer(server)("the registry protocol", (served) => {
  const found: ReadonlyArray<readonly [Asked, Readonly<Record<string, string | undefined>>, string]> = [
    [{ path: "/v2/" }, { "content-type": "application/json" }, "{}"],
    [
      { path: "/v2/a/b/manifests/v1" },
      { "content-type": index.mediaType, "content-length": "2", "docker-content-digest": index.digest },
      "{}"
    ],
    // containerd's hosts.toml.
    [{ path: `/v2/a/b/manifests/${index.digest}?ns=docker.io` }, { "content-type": index.mediaType }, "{}"],
    [
      { path: `/v2/a/b/blobs/${blob.digest}` },
      { "content-type": octets, "content-length": "10", "docker-content-digest": blob.digest },
      digits
    ],
    [{ path: "/v2/a/b/tags/list" }, { "content-type": "application/json" }, '{"name":"a/b","tags":["v1","v2"]}'],
    [
      { path: `/v2/a/b/referrers/${absent}` },
      { "content-type": index.mediaType },
      `{"schemaVersion":2,"mediaType":"${index.mediaType}","manifests":[]}`
    ]
  ]
  for (const [asked, headers, text] of found) {
    served.effect(`answers ${asked.path}, and HEAD with the same but the body`, () =>
      Effect.gen(function* () {
        const get = yield* ask(asked)
        const head = yield* ask({ ...asked, method: "HEAD" })
        assert.deepStrictEqual([get.status, head.status, get.text, head.text], [200, 200, text, ""])
        for (const [name, value] of Object.entries(headers)) {
          assert.strictEqual(get.headers[name], value)
          assert.strictEqual(head.headers[name], value)
        }
      })
    )
  }

  const refused: ReadonlyArray<readonly [Asked, number, string]> = [
    [{ path: "/v2/a/b/manifests/v9" }, 404, "MANIFEST_UNKNOWN"],
    [{ path: `/v2/a/b/manifests/${absent}` }, 404, "MANIFEST_UNKNOWN"],
    [{ path: "/v2/a/b/manifests/-v1" }, 404, "MANIFEST_UNKNOWN"],
    [{ path: `/v2/a/b/blobs/${absent}` }, 404, "BLOB_UNKNOWN"],
    [{ path: "/v2/a/b/blobs/v1" }, 400, "DIGEST_INVALID"],
    [{ path: `/v2/a/b/blobs/sha256:${"A".repeat(64)}` }, 400, "DIGEST_INVALID"],
    [{ path: "/v2/a/b/referrers/v1" }, 400, "DIGEST_INVALID"],
    [{ path: "/v2/other/tags/list" }, 404, "NAME_UNKNOWN"],
    [{ path: "/v2/A/manifests/v1" }, 400, "NAME_INVALID"],
    [{ path: `/v2/${"a".repeat(256)}/manifests/v1` }, 400, "NAME_INVALID"],
    [{ path: "/v2/secret/manifests/v1" }, 403, "DENIED"],
    [{ path: "/v2/a/b" }, 404, "UNSUPPORTED"],
    [{ path: "/v2/manifests/v1" }, 404, "UNSUPPORTED"],
    [{ path: "/v2/a/b/blobs/uploads/", method: "POST" }, 405, "UNSUPPORTED"],
    [{ path: "/v2/a/b/manifests/v1", method: "PUT" }, 405, "UNSUPPORTED"],
    [{ path: "/v2/a/b/manifests/v1", method: "DELETE" }, 405, "UNSUPPORTED"],
    [{ path: `/v2/a/b/blobs/${blob.digest}`, range: "bytes=10-" }, 416, "SIZE_INVALID"]
  ]
  for (const [asked, status, code] of refused) {
    served.effect(`refuses ${asked.method ?? "GET"} ${asked.path.slice(0, 60)} ${asked.range ?? ""} with ${code}`, () =>
      Effect.gen(function* () {
        const { headers, status: got, text } = yield* ask(asked)
        assert.strictEqual(got, status)
        assert.match(text, new RegExp(`^\\{"errors":\\[\\{"code":"${code}","message":"[^"]+"\\}\\]\\}$`, "u"))
        assert.strictEqual(headers["content-type"], "application/json")
        assert.strictEqual(headers["allow"], status === 405 ? "GET, HEAD" : undefined)
        assert.strictEqual(headers["content-range"], status === 416 ? "bytes */10" : undefined)
      })
    )
  }

  served.effect("gives a part of a blob, of which HEAD says how long all of it is", () =>
    Effect.gen(function* () {
      const asked = { path: `/v2/a/b/blobs/${blob.digest}`, range: "bytes=2-4" }
      const { headers, status, text } = yield* ask(asked)
      assert.deepStrictEqual([status, text], [206, "234"])
      assert.deepStrictEqual([headers["content-length"], headers["content-range"]], ["3", "bytes 2-4/10"])
      const head = yield* ask({ ...asked, method: "HEAD" })
      assert.deepStrictEqual([head.status, head.headers["content-length"]], [200, "10"])
    })
  )

  served.effect("gives all of what it has no parts of", () =>
    Effect.gen(function* () {
      const { status, text } = yield* ask({ path: `/v2/a/b/blobs/${whole.digest}`, range: "bytes=2-4" })
      assert.deepStrictEqual([status, text], [200, "all or nothing"])
    })
  )
})

describe("a request", () => {
  const names: ReadonlyArray<readonly [url: string, name: string, reference: string]> = [
    ["/v2/x/manifests/1", "x", "1"],
    ["/v2/a/manifests/b/manifests/c", "a/manifests/b", "c"],
    ["/v2/a/tags/list/manifests/1", "a/tags/list", "1"],
    ["/v2/a__b/c.d/e-f/manifests/_1.2-3", "a__b/c.d/e-f", "_1.2-3"]
  ]
  for (const [url, name, reference] of names) {
    it(`${url} is for ${reference} of ${name}`, () => {
      const parsed = parseRequest({ method: "GET", url })
      assert.deepStrictEqual(Result.getOrThrow(parsed), { kind: "manifests", name, reference })
    })
  }
})

describe("a range", () => {
  const rows: ReadonlyArray<readonly [header: string | undefined, range: string]> = [
    [undefined, "all"],
    ["bytes=0-0", "0 to 0"],
    ["bytes=0-9", "0 to 9"],
    ["bytes=4-", "4 to 9"],
    ["bytes=4-99", "4 to 9"],
    // The last three.
    ["bytes=-3", "7 to 9"],
    ["bytes=-99", "0 to 9"],
    ["bytes=10-", "none"],
    ["bytes=-0", "none"],
    // A server may pass over what it does not understand.
    ["bytes=4-2", "all"],
    ["bytes=-", "all"],
    ["bytes=0-1,4-5", "all"],
    ["lines=0-1", "all"]
  ]
  for (const [header, expected] of rows) {
    it(`${header} of ten bytes: ${expected}`, () => {
      const found = Result.match(parseRange(header, 10), {
        onFailure: ({ status }) => (status === 416 ? "none" : "another error"),
        onSuccess: (range) => (range === undefined ? "all" : `${range.first} to ${range.last}`)
      })
      assert.strictEqual(found, expected)
    })
  }
})
