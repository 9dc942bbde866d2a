/** `GET` and `HEAD` of the registry protocol, over whatever store there is. */
import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Content, ContentStore } from "./content-store.ts"
import {
  DistributionError,
  headOf,
  noReferrers,
  type Page,
  parseRange,
  parseRequest,
  partOf,
  reasonPhraseOf,
  refuse
} from "./distribution.ts"

export const distributionRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router: HttpRouter.HttpRouter) {
    const store = yield* ContentStore
    yield* router.add("*", "/*", (request: HttpServerRequest.HttpServerRequest) => answerFrom(store, request))
  })
)

type Store = ContentStore["Service"]

/** The answer to any request, a refusal included. */
export const answerFrom = (store: Store, request: HttpServerRequest.HttpServerRequest) =>
  answer(store, request).pipe(
    Effect.catchTag("DistributionError", (error) => Effect.succeed(refusal(error))),
    Effect.catchDefect((defect) => Effect.as(Effect.logError("a mistake", defect), refusal(mistake)))
  )

const answer = Effect.fnUntraced(function* (store: Store, request: HttpServerRequest.HttpServerRequest) {
  const wanted = yield* Effect.fromResult(parseRequest(request))
  switch (wanted.kind) {
    case "base":
      return HttpServerResponse.jsonUnsafe({}, { headers: { "docker-distribution-api-version": "registry/2.0" } })
    case "catalog": {
      const { part, link } = paged("/v2/_catalog", yield* store.catalog ?? noCatalog, wanted.page)
      return HttpServerResponse.jsonUnsafe({ repositories: part }, { headers: link })
    }
    case "tags": {
      const { name, page } = wanted
      const { part, link } = paged(`/v2/${name}/tags/list`, yield* store.tags(name), page)
      return HttpServerResponse.jsonUnsafe({ name, tags: part }, { headers: link })
    }
    case "referrers":
      return HttpServerResponse.jsonUnsafe(noReferrers, {
        contentType: noReferrers.mediaType,
        headers: wanted.isFiltered ? { "oci-filters-applied": "artifactType" } : {}
      })
    case "manifests": {
      const { accept, "user-agent": userAgent } = request.headers
      const manifest = yield* store.manifest(wanted, { accept, userAgent })
      return send(manifest.bytes, headOf(manifest))
    }
    case "blobs":
      return yield* blob(yield* store.blob(wanted), request)
  }
})

const noCatalog = Effect.fromResult(refuse(404, "UNSUPPORTED", "This registry does not tell the names of its images."))

/** A part of a list, and where the rest of it is. */
const paged = (path: string, all: ReadonlyArray<string>, page: Page) => {
  const { last, part } = partOf(all, page)
  const rest = last === undefined ? undefined : `<${path}?n=${page.n}&last=${encodeURIComponent(last)}>; rel="next"`
  return { part, link: rest === undefined ? {} : { link: rest } }
}

const blob = Effect.fnUntraced(function* (content: Content, request: HttpServerRequest.HttpServerRequest) {
  const { bytes, digest, part, size } = content
  const header = part === undefined || request.method === "HEAD" ? undefined : request.headers["range"]
  const range = yield* Effect.fromResult(parseRange(header, size))
  const head = headOf({ mediaType: "application/octet-stream", digest, size }, range)
  const ranges = part === undefined ? {} : { "accept-ranges": "bytes" }
  return send(part === undefined || range === undefined ? bytes : part(range), {
    ...head,
    headers: { ...head.headers, ...ranges }
  })
})

const send = (bytes: Content["bytes"], head: ReturnType<typeof headOf>) =>
  bytes instanceof Uint8Array ? HttpServerResponse.uint8Array(bytes, head) : HttpServerResponse.stream(bytes, head)

/** As the specification writes errors, with words where people look. */
export const refusal = (error: DistributionError) => {
  const { code, headers = {}, message, status } = error
  return HttpServerResponse.jsonUnsafe(
    { errors: [{ code, message }] },
    { status, statusText: reasonPhraseOf(error), headers }
  )
}

const mistake = new DistributionError({ status: 500, code: "UNKNOWN", message: "This registry made a mistake." })
