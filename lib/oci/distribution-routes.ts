/** `GET` and `HEAD` of the registry protocol, over whatever store there is. */
import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Content, ContentStore } from "./content-store.ts"
import { type DistributionError, headOf, noReferrers, parseRange, parseRequest } from "./distribution.ts"

export const distributionRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router: HttpRouter.HttpRouter) {
    const store = yield* ContentStore
    yield* router.add("*", "/v2/*", (request: HttpServerRequest.HttpServerRequest) =>
      Effect.catchTag(answer(store, request), "DistributionError", refusal)
    )
  })
)

const answer = Effect.fnUntraced(function* (
  store: ContentStore["Service"],
  request: HttpServerRequest.HttpServerRequest
) {
  const wanted = yield* Effect.fromResult(parseRequest(request))
  switch (wanted.kind) {
    case "base":
      return HttpServerResponse.jsonUnsafe({})
    case "tags":
      return HttpServerResponse.jsonUnsafe({ name: wanted.name, tags: yield* store.tags(wanted.name) })
    case "referrers":
      return HttpServerResponse.jsonUnsafe(noReferrers, { contentType: noReferrers.mediaType })
    case "manifests": {
      const manifest = yield* store.manifest(wanted)
      return HttpServerResponse.stream(manifest.bytes, headOf(manifest))
    }
    case "blobs":
      return yield* blob(yield* store.blob(wanted), request)
  }
})

const blob = Effect.fnUntraced(function* (content: Content, request: HttpServerRequest.HttpServerRequest) {
  const { bytes, digest, part, size } = content
  const header = part === undefined || request.method === "HEAD" ? undefined : request.headers["range"]
  const range = yield* Effect.fromResult(parseRange(header, size))
  return HttpServerResponse.stream(
    part === undefined || range === undefined ? bytes : part(range),
    headOf({ mediaType: "application/octet-stream", digest, size }, range)
  )
})

const refusal = ({ code, headers = {}, message, status }: DistributionError) =>
  HttpServerResponse.json({ errors: [{ code, message }] }, { status, headers })
