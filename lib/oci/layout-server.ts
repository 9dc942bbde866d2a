/**
 * Serves one layout read-only in the registry protocol, under every name and
 * every tag: `ctr images pull` takes from it what containerd does not have.
 * A layer is inspected while it is served, and after the first that is refused
 * nothing is served any more.
 * Protocol: OCI distribution-spec 1.1, "Pull".
 */
import { Deferred, Effect, Exit, Ref, Stream } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { createHash } from "node:crypto"
import { whileChecking } from "./checked-stream.ts"
import { digestMismatch } from "./image-error.ts"
import { type Layer, makeInspector } from "./layer.ts"
import type { Layout } from "./open-layout.ts"

/** What was asked for (a HEAD does not count): what containerd did not have. */
export interface Served {
  readonly blobs: number
  readonly bytes: number
}

/** Counts for `layoutRoutes`, and why it stopped serving. */
export const makeServing = Effect.gen(function* () {
  return {
    served: yield* Ref.make<Served>({ blobs: 0, bytes: 0 }),
    inspect: yield* makeInspector({ unpacking: false }),
    refused: yield* Deferred.make<never, Error>()
  }
})
export type Serving = Effect.Success<typeof makeServing>

/** `GET` and `HEAD` below `/v2/` for one layout. */
export const layoutRoutes = (layout: Layout, { inspect, refused, served }: Serving) => {
  const count = (size: number) => Ref.update(served, ({ blobs, bytes }) => ({ blobs: blobs + 1, bytes: bytes + size }))

  const serveLayer = Effect.fnUntraced(function* (layer: Layer, size: number) {
    const hash = createHash("sha256")
    return whileChecking(yield* layout.openLayer({ digest: layer.digest, size }), (bytes) =>
      Effect.andThen(
        inspect(
          layer,
          Stream.tap(bytes, (chunk) => Effect.sync(() => hash.update(chunk)))
        ),
        Effect.suspend(() => (`sha256:${hash.digest("hex")}` === layer.digest ? Effect.void : changed(layer.name)))
      )
    )
  })

  const find = (path: string) => {
    const [, kind, reference = ""] = requestPath.exec(path) ?? []
    const digest = kind === "manifests" && tagPattern.test(reference) ? layout.index.digest : reference
    const document = layout.documents.find((document) => document.digest === digest)
    if (document !== undefined && (kind === "blobs" || document.digest !== layout.config.digest)) {
      return { ...document, body: Effect.succeed(Stream.succeed(document.bytes)) }
    }
    const descriptor = kind === "blobs" ? layout.layers.find((layer) => layer.digest === digest) : undefined
    const layer = layout.contents.find((layer) => layer.digest === digest)
    return descriptor === undefined || layer === undefined
      ? undefined
      : { ...descriptor, body: serveLayer(layer, descriptor.size) }
  }

  const refuse = (error: Error) => Deferred.fail(refused, error)

  return HttpRouter.add(
    "GET",
    "/v2/*",
    Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      // ctr asks again for what was cut off: only an answer like this ends it.
      if (yield* Deferred.isDone(refused)) return denied
      const path = request.url.replace(/\?.*$/u, "")
      if (path === "/v2/") return HttpServerResponse.jsonUnsafe({})
      const found = find(path)
      if (found === undefined) return unknown
      const { body, digest, mediaType, size } = found
      // Once to see whether it can be opened, while there is still a status to answer with.
      const opened = yield* Effect.exit(Effect.tapError(Effect.scoped(body), refuse))
      if (Exit.isFailure(opened)) return denied
      const counted = Stream.unwrap(body).pipe(
        Stream.onStart(count(size)),
        Stream.tapError(refuse),
        Stream.interruptWhen(Deferred.await(refused))
      )
      return HttpServerResponse.stream(counted, {
        contentType: path.includes("/blobs/") ? "application/octet-stream" : mediaType,
        contentLength: size,
        headers: { "docker-content-digest": digest }
      })
    })
  )
}

const unknown = HttpServerResponse.jsonUnsafe({ errors: [{ code: "NAME_UNKNOWN" }] }, { status: 404 })
const denied = HttpServerResponse.jsonUnsafe({ errors: [{ code: "DENIED" }] }, { status: 403 })

const requestPath = /^\/v2\/[a-z0-9][a-z0-9._/-]*\/(manifests|blobs)\/([A-Za-z0-9_][A-Za-z0-9._:-]*)$/u
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/u

const changed = (name: string) =>
  Effect.fail(digestMismatch(`${name} is not what its digest says: something changed it after the build.`))
