/**
 * What the registry answers to everything that can be asked of it. Status
 * codes and headers: OCI distribution-spec 1.1, "Pull", "Content Discovery",
 * "Error Codes", and its conformance suite.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { digestOf, mediaTypes } from "../../lib/oci/image.ts"
import { type Answer, type Asked, built, type Files, makeFiles, nixImage, ready, serve, stalled } from "./world.ts"

const octets = "application/octet-stream"
const json = "application/json"
const absent = digestOf(new TextEncoder().encode("absent"))

const large = new Uint8Array(3 * 1024 * 1024 + 7).map((_, at) => (at * 31) % 251)
const text = (words: string) => new TextEncoder().encode(words)

const makeImages = Effect.fnUntraced(function* (files: Files) {
  const tools = yield* files.keepImage("amd64", [large, text("small layer")])
  const theirs = yield* files.keepImage("amd64", [text("another namespace's")])
  const amd64 = yield* files.keepImage("amd64", [text("for amd64")])
  const arm64 = yield* files.keepImage("arm64", [text("for arm64")])
  const shell = yield* files.keepImage("amd64", [text("a shell")])
  return { tools, theirs, amd64, arm64, shell }
})

type Images = Effect.Success<ReturnType<typeof makeImages>>

const itemsOf = ({ amd64, arm64, shell, theirs, tools }: Images) => [
  nixImage({
    name: "curl-and-jq",
    status: { status: "Built", holds: "curl-and-jq:v1", systems: [built(tools.index.digest)] }
  }),
  nixImage({
    name: "curl-and-jq-2",
    data: { name: "curl-and-jq", tag: "v2" },
    status: { status: "Built", holds: "curl-and-jq:v2", systems: [built(shell.index.digest)] }
  }),
  // The name belongs to the other namespace.
  nixImage({
    name: "curl-and-jq",
    namespace: "team",
    status: { status: "Built", systems: [built(theirs.index.digest)] }
  }),
  nixImage({
    name: "both",
    status: {
      status: "Built",
      holds: "both:v1",
      systems: [built(amd64.index.digest), built(arm64.index.digest, "aarch64-linux")]
    }
  }),
  nixImage({
    name: "nixery-1",
    data: { name: "shell/git/jq", tag: "latest" },
    status: { status: "Built", holds: "shell/git/jq:latest", systems: [built(shell.index.digest)] }
  }),
  nixImage({
    name: "slow",
    status: {
      status: "Building",
      holds: "slow:v1",
      ...ready("place 3 in the queue, NixBuild apps/curl-and-jq"),
      systems: [{ system: "x86_64-linux", build: "b", status: "Building" }]
    }
  }),
  nixImage({
    name: "wrong",
    status: {
      status: "Failed",
      holds: "wrong:v1",
      failure: { reason: "AttributeMissing", message: "The package set has no jqq;\nthe nearest is „jq“." },
      conditions: stalled ?? []
    }
  }),
  nixImage({ name: "new", status: { observedGeneration: 0 } })
]

class World extends Context.Service<
  World,
  { readonly ask: (asked: Asked) => Effect.Effect<Answer, Error>; readonly images: Images }
>()("test/registry/World") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const files = yield* makeFiles
      const images = yield* makeImages(files)
      const { ask } = yield* serve({ files, items: itemsOf(images), settings: { REGISTRY_CATALOG: "true" } })
      return { ask, images }
    })
  ).pipe(Layer.provide(NodeServices.layer))
}

interface Found {
  readonly path: string
  readonly headers?: Record<string, string>
  readonly status?: number
  readonly answered: Record<string, string | undefined>
  readonly body?: Uint8Array | object
}

const ofDigest = (kept: { readonly digest: string; readonly size: number }, type: string) => ({
  "content-type": type,
  "content-length": `${kept.size}`,
  "docker-content-digest": kept.digest
})

/** What is found, in order: `what` says why the row is there. */
const found: Record<string, (images: Images) => Found> = {
  "the base": () => ({
    path: "/v2/",
    answered: { "content-type": json, "docker-distribution-api-version": "registry/2.0" },
    body: {}
  }),
  "the base without its slash": () => ({ path: "/v2", answered: { "content-type": json }, body: {} }),
  "a tag under the held name": ({ tools }) => ({
    path: "/v2/curl-and-jq/manifests/v1",
    answered: ofDigest(tools.index, mediaTypes.index)
  }),
  "?ns=, by which containerd names the registry that it means": ({ tools }) => ({
    path: "/v2/curl-and-jq/manifests/v1?ns=images.enbi",
    answered: ofDigest(tools.index, mediaTypes.index)
  }),
  "a tag under the namespace's own name": ({ tools }) => ({
    path: "/v2/apps/curl-and-jq/manifests/v1",
    answered: ofDigest(tools.index, mediaTypes.index)
  }),
  "the own name of a namespace that does not hold the other": ({ theirs }) => ({
    path: "/v2/team/curl-and-jq/manifests/v1",
    answered: ofDigest(theirs.index, mediaTypes.index)
  }),
  "another tag of the same repository": ({ shell }) => ({
    path: "/v2/curl-and-jq/manifests/v2",
    answered: ofDigest(shell.index, mediaTypes.index)
  }),
  "a path of packages, as Nixery has it": ({ shell }) => ({
    path: "/v2/shell/git/jq/manifests/latest",
    answered: ofDigest(shell.index, mediaTypes.index)
  }),
  "the index by digest": ({ tools }) => ({
    path: `/v2/curl-and-jq/manifests/${tools.index.digest}`,
    answered: ofDigest(tools.index, mediaTypes.index)
  }),
  "the manifest by digest": ({ tools }) => ({
    path: `/v2/curl-and-jq/manifests/${tools.manifest.digest}`,
    answered: ofDigest(tools.manifest, mediaTypes.manifest)
  }),
  "a manifest by digest, whatever the client would rather have": ({ tools }) => ({
    path: `/v2/curl-and-jq/manifests/${tools.manifest.digest}`,
    headers: { accept: mediaTypes.index },
    answered: ofDigest(tools.manifest, mediaTypes.manifest)
  }),
  "the manifest for a client that reads no index": ({ tools }) => ({
    path: "/v2/curl-and-jq/manifests/v1",
    headers: { accept: `application/vnd.docker.distribution.manifest.v2+json, ${mediaTypes.manifest};q=0.5` },
    answered: ofDigest(tools.manifest, mediaTypes.manifest)
  }),
  "of several systems that for amd64, for a client that reads no index": ({ amd64 }) => ({
    path: "/v2/both/manifests/v1",
    headers: { accept: mediaTypes.manifest },
    answered: ofDigest(amd64.manifest, mediaTypes.manifest)
  }),
  "an index of the manifests of several systems": ({ amd64, arm64 }) => ({
    path: "/v2/both/manifests/v1",
    headers: { accept: `${mediaTypes.index}, */*` },
    answered: { "content-type": mediaTypes.index },
    body: { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [arm64.described, amd64.described] }
  }),
  "a system's own index by digest": ({ arm64 }) => ({
    path: `/v2/apps/both/manifests/${arm64.index.digest}`,
    answered: ofDigest(arm64.index, mediaTypes.index)
  }),
  "a manifest of the index of several": ({ arm64 }) => ({
    path: `/v2/both/manifests/${arm64.manifest.digest}`,
    answered: ofDigest(arm64.manifest, mediaTypes.manifest)
  }),
  "a configuration": ({ tools }) => ({
    path: `/v2/curl-and-jq/blobs/${tools.config.digest}`,
    answered: { ...ofDigest(tools.config, octets), "accept-ranges": "bytes" }
  }),
  "a layer of several buffers": ({ tools }) => ({
    path: `/v2/curl-and-jq/blobs/${tools.layers[0]?.digest}`,
    answered: { ...ofDigest({ digest: digestOf(large), size: large.length }, octets), "accept-ranges": "bytes" },
    body: large
  }),
  "a layer that fits into none": ({ tools }) => ({
    path: `/v2/apps/curl-and-jq/blobs/${tools.layers[1]?.digest}`,
    answered: { "content-type": octets },
    body: text("small layer")
  }),
  "a manifest as a blob": ({ tools }) => ({
    path: `/v2/curl-and-jq/blobs/${tools.manifest.digest}`,
    answered: ofDigest(tools.manifest, octets)
  }),
  "the tags of a repository": () => ({
    path: "/v2/curl-and-jq/tags/list",
    answered: { "content-type": json, link: undefined },
    body: { name: "curl-and-jq", tags: ["v1", "v2"] }
  }),
  "n tags, and where the rest is": () => ({
    path: "/v2/curl-and-jq/tags/list?n=1",
    answered: { link: '</v2/curl-and-jq/tags/list?n=1&last=v1>; rel="next"' },
    body: { name: "curl-and-jq", tags: ["v1"] }
  }),
  "the tags after one": () => ({
    path: "/v2/curl-and-jq/tags/list?n=1&last=v1",
    answered: { link: undefined },
    body: { name: "curl-and-jq", tags: ["v2"] }
  }),
  "the tags after one that is not there": () => ({
    path: "/v2/curl-and-jq/tags/list?last=v1.5",
    answered: { link: undefined },
    body: { name: "curl-and-jq", tags: ["v2"] }
  }),
  "no tags where none are wanted, and no rest": () => ({
    path: "/v2/curl-and-jq/tags/list?n=0",
    answered: { link: undefined },
    body: { name: "curl-and-jq", tags: [] }
  }),
  "no tag of what is not built": () => ({
    path: "/v2/slow/tags/list",
    answered: {},
    body: { name: "slow", tags: [] }
  }),
  "an empty index of what refers to an image": ({ tools }) => ({
    path: `/v2/curl-and-jq/referrers/${tools.manifest.digest}`,
    answered: { "content-type": mediaTypes.index, "oci-filters-applied": undefined },
    body: { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
  }),
  "the same for one type of artifacts, and that it was sought": () => ({
    path: `/v2/nobody/referrers/${absent}?artifactType=application/spdx`,
    answered: { "content-type": mediaTypes.index, "oci-filters-applied": "artifactType" },
    body: { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
  }),
  "the catalog": () => ({
    path: "/v2/_catalog",
    answered: { "content-type": json, link: undefined },
    body: {
      repositories: [
        "apps/both",
        "apps/curl-and-jq",
        "apps/shell/git/jq",
        "both",
        "curl-and-jq",
        "shell/git/jq",
        "team/curl-and-jq"
      ]
    }
  }),
  "a part of the catalog": () => ({
    path: "/v2/_catalog?n=2&last=apps/both",
    answered: { link: '</v2/_catalog?n=2&last=apps%2Fshell%2Fgit%2Fjq>; rel="next"' },
    body: { repositories: ["apps/curl-and-jq", "apps/shell/git/jq"] }
  })
}

const partial =
  (range: string, [first, last]: readonly [number, number]) =>
  (images: Images) => ({
    path: `/v2/curl-and-jq/blobs/${images.tools.layers[0]?.digest}`,
    headers: { range },
    status: 206,
    answered: {
      "content-length": `${last - first + 1}`,
      "content-range": `bytes ${first}-${last}/${large.length}`,
      "docker-content-digest": images.tools.layers[0]?.digest
    },
    body: large.subarray(first, last + 1)
  })

const whole = (range: string) => (images: Images) => ({
  path: `/v2/curl-and-jq/blobs/${images.tools.layers[0]?.digest}`,
  headers: { range },
  answered: { "content-length": `${large.length}`, "content-range": undefined },
  body: large
})

/** Parts of a layer (D45). */
const ranges: Record<string, (images: Images) => Found> = {
  "the first byte": partial("bytes=0-0", [0, 0]),
  "across two buffers": partial("bytes=1048570-1048585", [1_048_570, 1_048_585]),
  "to the end": partial("bytes=3145728-", [3_145_728, large.length - 1]),
  "the last bytes": partial("bytes=-7", [large.length - 7, large.length - 1]),
  "more than there are": partial("bytes=-99999999999999999999", [0, large.length - 1]),
  "an end beyond the end": partial("bytes=10-99999999999999999999", [10, large.length - 1]),
  "several parts, overlapping": whole("bytes=0-5,3-9"),
  "a negative one": whole("bytes=9-3"),
  "another unit": whole("lines=1-2"),
  "no number": whole("bytes=a-b")
}

interface Refused {
  readonly asked: Asked
  readonly status: number
  readonly code: string
  readonly message?: string
  readonly answered?: Record<string, string>
}

const get =
  (path: string, status: number, code: string, more: Partial<Refused> = {}) =>
  (): Refused => ({
    asked: { path },
    status,
    code,
    ...more
  })

const put = (method: string, path: string) => (): Refused => ({
  asked: { method, path },
  status: 405,
  code: "UNSUPPORTED",
  answered: { allow: "GET, HEAD" }
})

const slow = "Building: place 3 in the queue, NixBuild apps/curl-and-jq (kubectl describe niximage -n apps slow)"
const wrong =
  "Failed: AttributeMissing: The package set has no jqq;\nthe nearest is „jq“. (kubectl describe niximage -n apps wrong)"

/** What is refused. */
const refused: Record<string, (images: Images) => Refused> = {
  "what is being built, with how far it is": get("/v2/slow/manifests/v1", 503, "UNAVAILABLE", {
    message: slow,
    answered: { "retry-after": "10" }
  }),
  "the same under the own name": get("/v2/apps/slow/manifests/v1", 503, "UNAVAILABLE", { message: slow }),
  "what nobody has looked at yet": get("/v2/apps/new/manifests/v1", 503, "UNAVAILABLE", {
    message: "Building: it has not been looked at yet. (kubectl describe niximage -n apps new)"
  }),
  "the same under a name that nobody has given it yet": get("/v2/new/manifests/v1", 503, "UNAVAILABLE"),
  "what cannot be built, with the cause": get("/v2/wrong/manifests/v1", 409, "MANIFEST_UNKNOWN", { message: wrong }),
  "a type that the client does not read": () => ({
    asked: {
      path: "/v2/curl-and-jq/manifests/v1",
      headers: { accept: "application/vnd.docker.distribution.manifest.v1+prettyjws" }
    },
    status: 404,
    code: "MANIFEST_UNKNOWN"
  }),
  "an unknown tag": get("/v2/curl-and-jq/manifests/v9", 404, "MANIFEST_UNKNOWN"),
  "an unknown repository": get("/v2/nobody/manifests/v1", 404, "NAME_UNKNOWN"),
  "an unknown repository of several parts": get("/v2/a/b/c/d/manifests/v1", 404, "NAME_UNKNOWN"),
  "its tags": get("/v2/nobody/tags/list", 404, "NAME_UNKNOWN"),
  "an unknown manifest": get(`/v2/curl-and-jq/manifests/${absent}`, 404, "MANIFEST_UNKNOWN"),
  "an unknown manifest of an unknown repository": get(`/v2/nobody/manifests/${absent}`, 404, "NAME_UNKNOWN"),
  "an unknown blob": get(`/v2/curl-and-jq/blobs/${absent}`, 404, "BLOB_UNKNOWN"),
  "a layer as a manifest": ({ tools }) => ({
    asked: { path: `/v2/curl-and-jq/manifests/${tools.layers[0]?.digest}` },
    status: 404,
    code: "MANIFEST_UNKNOWN"
  }),
  "a layer of another repository": ({ theirs }) => ({
    asked: { path: `/v2/curl-and-jq/blobs/${theirs.layers[0]?.digest}` },
    status: 404,
    code: "BLOB_UNKNOWN"
  }),
  "a manifest of another repository": ({ theirs }) => ({
    asked: { path: `/v2/curl-and-jq/manifests/${theirs.index.digest}` },
    status: 404,
    code: "MANIFEST_UNKNOWN"
  }),
  "no range of a layer": ({ tools }) => ({
    asked: { path: `/v2/curl-and-jq/blobs/${tools.layers[0]?.digest}`, headers: { range: `bytes=${large.length}-` } },
    status: 416,
    code: "SIZE_INVALID",
    answered: { "content-range": `bytes */${large.length}` }
  }),
  "the last nothing of a layer": ({ tools }) => ({
    asked: { path: `/v2/curl-and-jq/blobs/${tools.layers[0]?.digest}`, headers: { range: "bytes=-0" } },
    status: 416,
    code: "SIZE_INVALID"
  }),
  "what cannot be a tag (the conformance suite's)": get(
    "/v2/curl-and-jq/manifests/.INVALID_MANIFEST_NAME",
    404,
    "MANIFEST_UNKNOWN"
  ),
  "a tag of 129 characters": get(`/v2/curl-and-jq/manifests/${"a".repeat(129)}`, 404, "MANIFEST_UNKNOWN"),
  "D49: a digest by md5": get(`/v2/curl-and-jq/blobs/md5:${"a".repeat(32)}`, 400, "DIGEST_INVALID"),
  "D49: a manifest by md5": get(`/v2/curl-and-jq/manifests/md5:${"a".repeat(32)}`, 400, "DIGEST_INVALID"),
  "D49: a digest by sha512": get(`/v2/curl-and-jq/blobs/sha512:${"a".repeat(128)}`, 400, "DIGEST_INVALID"),
  "D49: a short digest": get("/v2/curl-and-jq/blobs/sha256:abc", 400, "DIGEST_INVALID"),
  "D49: a digest in upper case": get(`/v2/curl-and-jq/blobs/${absent.toUpperCase()}`, 400, "DIGEST_INVALID"),
  "D49: upper-case digits": get(`/v2/curl-and-jq/manifests/sha256:${"A".repeat(64)}`, 400, "DIGEST_INVALID"),
  "D49: referrers of no digest": get("/v2/curl-and-jq/referrers/v1", 400, "DIGEST_INVALID"),
  "D41: out of the folder": get("/v2/../../etc/passwd", 404, "UNSUPPORTED"),
  "D41: out of the folder, as a name": get("/v2/../../etc/passwd/manifests/v1", 400, "NAME_INVALID"),
  "D41: out of the folder, as a digest": get("/v2/curl-and-jq/blobs/sha256:../../../etc/passwd", 404, "UNSUPPORTED"),
  "D41: an encoded slash in a name": get("/v2/apps%2fcurl-and-jq/manifests/v1", 400, "NAME_INVALID"),
  "D41: encoded dots": get("/v2/%2e%2e/manifests/v1", 400, "NAME_INVALID"),
  "D41: an encoding of nothing": get("/v2/%zz/manifests/v1", 400, "NAME_INVALID"),
  "D41: an encoded slash in a reference": get("/v2/curl-and-jq/manifests/v1%2f..", 404, "MANIFEST_UNKNOWN"),
  "D41: two slashes": get("/v2//curl-and-jq/manifests/v1", 400, "NAME_INVALID"),
  "D41: two slashes in front": get("//v2/curl-and-jq/manifests/v1", 404, "UNSUPPORTED"),
  "D41: a slash at the end": get("/v2/curl-and-jq/manifests/v1/", 404, "UNSUPPORTED"),
  "D41: a slash behind the list of tags": get("/v2/curl-and-jq/tags/list/", 404, "UNSUPPORTED"),
  "D43: a name of 200 parts": get(`/v2/${Array(200).fill("a").join("/")}/manifests/v1`, 400, "NAME_INVALID"),
  "D43: a name of 300 characters": get(`/v2/${"a".repeat(300)}/manifests/v1`, 400, "NAME_INVALID"),
  "a name in upper case": get("/v2/Curl/manifests/v1", 400, "NAME_INVALID"),
  "no such path": get("/v2/curl-and-jq", 404, "UNSUPPORTED"),
  "outside of the protocol": get("/", 404, "UNSUPPORTED"),
  "the protocol before this one": get("/v1/_ping", 404, "UNSUPPORTED"),
  "a page of no number": get("/v2/curl-and-jq/tags/list?n=many", 400, "PAGINATION_NUMBER_INVALID"),
  "a page of a negative number": get("/v2/_catalog?n=-1", 400, "PAGINATION_NUMBER_INVALID"),
  "D47: an upload": put("POST", "/v2/curl-and-jq/blobs/uploads/"),
  "D47: a part of one": put("PATCH", "/v2/curl-and-jq/blobs/uploads/1"),
  "D47: its end": put("PUT", "/v2/curl-and-jq/blobs/uploads/1"),
  "D47: a manifest": put("PUT", "/v2/curl-and-jq/manifests/v1"),
  "D47: the end of a tag": put("DELETE", "/v2/curl-and-jq/manifests/v1"),
  "D47: the end of a layer": put("DELETE", `/v2/curl-and-jq/blobs/${absent}`),
  "what only web browsers ask": put("OPTIONS", "/v2/")
}

const jsonOf = (answer: Answer) => JSON.parse(answer.body.toString()) as unknown

layer(World.layer)("the registry", (it) => {
  for (const [what, row] of Object.entries({ ...found, ...ranges })) {
    it.effect(`gives ${what}, and HEAD the same without it`, () =>
      Effect.gen(function* () {
        const { ask, images } = yield* World
        const { answered, body, headers = {}, path, status = 200 } = row(images)
        const answer = yield* ask({ path, headers })
        assert.strictEqual(answer.status, status)
        for (const [name, value] of Object.entries(answered)) assert.strictEqual(answer.headers[name], value, name)
        if (body instanceof Uint8Array) assert.isTrue(answer.body.equals(body))
        else if (body !== undefined) assert.deepStrictEqual(jsonOf(answer), body)
        const digest = answer.headers["docker-content-digest"]
        if (digest !== undefined && status === 200) assert.strictEqual(digestOf(answer.body), digest)
        const head = yield* ask({ method: "HEAD", path, headers })
        // Of a part nobody asks with HEAD: RFC 9110, 14.2.
        assert.strictEqual(head.status, 200)
        assert.strictEqual(head.body.length, 0)
        const part = new Set(["content-length", "content-range"])
        const others = (all: Answer["headers"]) =>
          Object.entries(all).filter(([name]) => name !== "date" && !(status === 206 && part.has(name)))
        assert.deepStrictEqual(others(head.headers), others(answer.headers))
      })
    )
  }

  for (const [what, row] of Object.entries(refused)) {
    it.effect(`refuses ${what}`, () =>
      Effect.gen(function* () {
        const { ask, images } = yield* World
        const { answered = {}, asked, code, message, status } = row(images)
        const answer = yield* ask(asked)
        assert.strictEqual(`${answer.status} ${answer.headers["content-type"]}`, `${status} ${json}`)
        const body = JSON.parse(answer.body.toString())
        assert.deepStrictEqual(body, { errors: [{ code, message: message ?? body.errors[0].message }] })
        assert.isNotEmpty(body.errors[0].message)
        for (const [name, value] of Object.entries(answered)) assert.strictEqual(answer.headers[name], value, name)
        // As people read it in `kubectl describe pod`.
        const told = [403, 409, 503].includes(status)
        if (told)
          assert.strictEqual(answer.phrase, body.errors[0].message.replaceAll("\n", " ").replaceAll(/[„“]/gu, "?"))
        if (asked.method !== undefined) return
        const head = yield* ask({ ...asked, method: "HEAD" })
        const [expected, phrase] = status === 416 ? [200, "OK"] : [status, answer.phrase]
        assert.deepStrictEqual([head.status, head.phrase, head.body.length], [expected, phrase, 0])
      })
    )
  }
})
