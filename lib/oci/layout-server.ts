/**
 * Serves one layout read-only in the registry protocol, under every name and
 * every tag: `ctr images pull` takes from it what containerd does not have.
 * Protocol: OCI distribution-spec 1.1, "Pull".
 */
import { Effect, Option, Ref, Stream } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { mediaTypes } from "./image.ts"
import type { Layout } from "./open-layout.ts"

/** What was asked for (a HEAD does not count): what containerd did not have. */
export interface Served {
  readonly blobs: number
  readonly bytes: number
}

/** Counts for `layoutRoutes`. */
export const makeServed = Ref.make<Served>({ blobs: 0, bytes: 0 })

/** `GET` and `HEAD` below `/v2/` for one layout. */
export const layoutRoutes = (layout: Layout, served: Ref.Ref<Served>) =>
  HttpRouter.add(
    "GET",
    "/v2/*",
    Effect.fnUntraced(
      function* (request: HttpServerRequest.HttpServerRequest) {
        const path = request.url.replace(/\?.*$/u, "")
        if (path === "/v2/") return HttpServerResponse.jsonUnsafe({})
        const wanted = findWanted(path, layout)
        if (Option.isNone(wanted)) return unknown
        const { digest, mediaType } = wanted.value
        const sizeBytes = yield* layout.sizeOf(digest)
        const body = layout
          .stream(digest)
          .pipe(
            Stream.onStart(Ref.update(served, ({ blobs, bytes }) => ({ blobs: blobs + 1, bytes: bytes + sizeBytes })))
          )
        return HttpServerResponse.stream(body, {
          contentType: mediaType,
          contentLength: sizeBytes,
          headers: { "docker-content-digest": digest }
        })
      },
      Effect.catch((error) => Effect.as(Effect.logDebug(error.message), unknown))
    )
  )

const unknown = HttpServerResponse.jsonUnsafe({ errors: [{ code: "NAME_UNKNOWN" }] }, { status: 404 })

const requestPath = /^\/v2\/[a-z0-9][a-z0-9._/-]*\/(manifests|blobs)\/([A-Za-z0-9_][A-Za-z0-9._:-]*)$/u
const digestPattern = /^sha256:[0-9a-f]{64}$/u
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/u

/**
 * | path | is |
 * |---|---|
 * | `<name>/manifests/<tag>` | the index |
 * | `<name>/manifests/<digest>` | the index or the manifest, if it is its digest |
 * | `<name>/blobs/<digest>` | any blob |
 */
const findWanted = (
  path: string,
  { index, manifest }: Layout
): Option.Option<{ readonly digest: string; readonly mediaType: string }> => {
  const [, kind, reference = ""] = requestPath.exec(path) ?? []
  if (kind === "blobs") {
    return digestPattern.test(reference)
      ? Option.some({ digest: reference, mediaType: "application/octet-stream" })
      : Option.none()
  }
  if (reference === manifest.digest) return Option.some({ digest: reference, mediaType: mediaTypes.manifest })
  return reference === index.digest || tagPattern.test(reference)
    ? Option.some({ digest: index.digest, mediaType: mediaTypes.index })
    : Option.none()
}
