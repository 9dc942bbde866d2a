/**
 * A registry that takes pushes, in memory, as strict as the specification lets
 * one be: an upload is good for one PUT, all that a manifest names has to be
 * there before, and each digest is computed from what came.
 * Protocol: OCI distribution-spec 1.1, "Push".
 */
import { NodeHttpServer } from "@effect/platform-node"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createHash } from "node:crypto"
import { createServer } from "node:http"
import { digestOf } from "../oci/archives.ts"

/** What a test does to the next requests; nothing answered: the registry goes on as always. */
type Interference = (
  asked: string
) => Effect.Effect<HttpServerResponse.HttpServerResponse | undefined, never, HttpServerRequest.HttpServerRequest>

/** What it does with each part of an upload, before it reads on. */
type Received = (bytes: number) => Effect.Effect<void, never, HttpServerRequest.HttpServerRequest>

const Descriptor = Schema.Struct({ digest: Schema.String })
const Manifest = Schema.fromJsonString(
  Schema.Struct({
    mediaType: Schema.String,
    config: Schema.optionalKey(Descriptor),
    layers: Schema.optionalKey(Schema.Array(Descriptor)),
    manifests: Schema.optionalKey(Schema.Array(Descriptor))
  })
)

/** As Distribution has it: a manifest of a type that is not asked for is not there. */
const isTaken = (manifest: string | undefined, accept = ""): boolean =>
  accept !== "" && manifest !== undefined && manifest.includes(`"mediaType":"${accept}"`)

const empty = (status: number, headers: Record<string, string> = {}) => HttpServerResponse.empty({ status, headers })

/** An answer in the specification's form. */
export const refusal = (status: number, code: string, message: string) =>
  HttpServerResponse.jsonUnsafe({ errors: [{ code, message }] }, { status })

/** Cuts the connection on which this request comes. */
export const cut = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  NodeHttpServerRequest.toIncomingMessage(request).socket.destroy()
  return yield* Effect.never
})

export const startRegistry = Effect.gen(function* () {
  const blobs = new Map<string, number>()
  const manifests = new Map<string, string>()
  const uploads = new Set<string>()
  const asked: Array<string> = []
  const test = {
    interfere: ((): Effect.Effect<undefined> => Effect.succeed(undefined)) as Interference,
    /** Where an upload goes on, as the registry says it. */
    locationOf: (path: string): string => path,
    received: ((): Effect.Effect<void> => Effect.void) as Received,
    /** When a blob is there, before that is said. */
    taken: ((): Effect.Effect<void> => Effect.void) as () => Effect.Effect<
      void,
      never,
      HttpServerRequest.HttpServerRequest
    >,
    /** The one that it accepts. */
    token: "the-token"
  }

  const takeBlob = Effect.fnUntraced(function* (url: URL) {
    const request = yield* HttpServerRequest.HttpServerRequest
    const digest = url.searchParams.get("digest")
    if (!uploads.delete(`${url.pathname}?${url.searchParams.get("_state")}`)) {
      return refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    }
    const hash = createHash("sha256")
    let size = 0
    yield* Stream.runForEach(request.stream, (bytes) => {
      hash.update(bytes)
      size += bytes.length
      return test.received(bytes.length)
    })
    if (Number(request.headers["content-length"]) !== size) return refusal(400, "SIZE_INVALID", "of another length")
    if (`sha256:${hash.digest("hex")}` !== digest) return refusal(400, "DIGEST_INVALID", "of another digest")
    blobs.set(digest, size)
    yield* test.taken()
    return empty(201, { "docker-content-digest": digest })
  })

  const takeManifest = Effect.fnUntraced(function* (reference: string) {
    const request = yield* HttpServerRequest.HttpServerRequest
    const text = yield* request.text
    if (digestOf(text) !== reference) return refusal(400, "DIGEST_INVALID", "provided digest did not match")
    const manifest = yield* Schema.decodeEffect(Manifest)(text)
    if (request.headers["content-type"] !== manifest.mediaType) return refusal(400, "MANIFEST_INVALID", "other type")
    const needed = [
      ...[manifest.config ?? [], manifest.layers ?? []].flat().map(({ digest }) => blobs.has(digest)),
      ...(manifest.manifests ?? []).map(({ digest }) => manifests.has(digest))
    ]
    if (needed.includes(false)) return refusal(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
    manifests.set(reference, text)
    return empty(201, { "docker-content-digest": reference })
  })

  const answer = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const url = new URL(request.url, "http://registry")
    const what = `${request.method} ${url.pathname}`
    asked.push(what)
    if (request.headers["authorization"] !== `Bearer ${test.token}`) return refusal(401, "UNAUTHORIZED", "who are you?")
    const interference = yield* test.interfere(what)
    if (interference !== undefined) return interference
    const [, kind, reference = ""] =
      /^\/v2\/builds\/ns1\/(blobs\/uploads|blobs|manifests)\/(.*)$/u.exec(url.pathname) ?? []
    switch (`${request.method} ${kind}`) {
      case "HEAD blobs":
        return empty(blobs.has(reference) ? 200 : 404)
      case "HEAD manifests":
        return empty(isTaken(manifests.get(reference), request.headers["accept"]) ? 200 : 404)
      case "POST blobs/uploads": {
        const id = `${url.pathname}u${asked.length}`
        uploads.add(`${id}?s${asked.length}`)
        return empty(202, { location: test.locationOf(`${id}?_state=s${asked.length}`) })
      }
      case "PUT blobs/uploads":
        return yield* takeBlob(url)
      case "PUT manifests":
        return yield* takeManifest(reference)
      default:
        return refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
    }
  })

  const context = yield* Layer.build(
    HttpRouter.serve(HttpRouter.add("*", "/*", answer), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
  )
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(context))
  return { url, blobs, manifests, asked, test }
})
