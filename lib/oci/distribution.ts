/**
 * The registry protocol without a registry: what a request asks for, and how it
 * is answered. Only the reading half is implemented; writes are rejected.
 * Protocol: OCI distribution-spec 1.1, "Pull", "Content Discovery" and "Error Codes".
 */
import { Result, Schema } from "effect"
import { Digest, mediaTypes } from "./image.ts"
import { isRepository, isTag } from "./reference.ts"

/** Why a request is not answered with what it asks for. `message` is for people. */
export class DistributionError extends Schema.TaggedError<DistributionError>()("DistributionError", {
  status: Schema.Int,
  code: Schema.Literals([
    "BLOB_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    // As CNCF Distribution calls it; the specification has no code for it.
    "PAGINATION_NUMBER_INVALID",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    // As above.
    "UNAVAILABLE",
    "UNKNOWN",
    "UNSUPPORTED"
  ]),
  message: Schema.String,
  headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
}) {}

export const blobUnknown = (digest: string) =>
  new DistributionError({ status: 404, code: "BLOB_UNKNOWN", message: `There is no blob ${digest} here.` })

export const manifestUnknown = (reference: string) =>
  new DistributionError({ status: 404, code: "MANIFEST_UNKNOWN", message: `There is no manifest ${reference} here.` })

export const nameUnknown = (name: string) =>
  new DistributionError({ status: 404, code: "NAME_UNKNOWN", message: `There is no repository ${name} here.` })

export const denied = (message: string) => new DistributionError({ status: 403, code: "DENIED", message })

/** Not now, but perhaps later. */
export const unavailable = (message: string) =>
  new DistributionError({ status: 503, code: "UNAVAILABLE", message, headers: { "retry-after": "10" } })

/** There is such an image, but it can't be had until somebody changes something. */
export const unobtainable = (message: string) =>
  new DistributionError({ status: 409, code: "MANIFEST_UNKNOWN", message })

export const unauthorized = (message: string) =>
  new DistributionError({ status: 401, code: "UNAUTHORIZED", message, headers: { "www-authenticate": "Bearer" } })

// What Node and Go read of an answer's head has bounds, and people read this within a longer line.
const maxPhraseLength = 300

// With these, `kubectl describe pod` shows the phrase behind the status; with others it shows none, or has better words.
const told = new Set([403, 409, 503])

/** HTTP's reason phrase: what people read of a refusal where nobody shows its body. */
export const reasonPhraseOf = ({ message, status }: DistributionError): string | undefined =>
  told.has(status)
    ? message
        .replaceAll(/\s+/gu, " ")
        .replaceAll(/[^\x20-\x7e]/gu, "?")
        .trim()
        .slice(0, maxPhraseLength)
    : undefined

/** Which part of a list is wanted: so many, and only what comes after `last`. */
export interface Page {
  readonly n: number
  readonly last: string | undefined
}

interface Referred {
  readonly kind: "manifests" | "blobs"
  readonly name: string
  /** Of a manifest a tag or a digest, of all else a digest. */
  readonly reference: string
}

/** What a request asks for. */
export type Wanted =
  | Referred
  | { readonly kind: "referrers"; readonly name: string; readonly isFiltered: boolean }
  | { readonly kind: "tags"; readonly name: string; readonly page: Page }
  | { readonly kind: "catalog"; readonly page: Page }
  | { readonly kind: "base" }

// A name may have these words in it too: the last of them counts.
const endpoint = /^\/v2\/(.+)\/(?:(manifests|blobs|referrers)\/([^/]+)|tags\/list)$/u

/** The first line of a request. */
export interface Requested {
  readonly method: string
  /** Path and query, as they came. */
  readonly url: string
}

/** Of the query, `?ns=` names the registry that containerd means; it is ignored. */
export const parseRequest = ({ method, url }: Requested): Result.Result<Wanted, DistributionError> => {
  if (method !== "GET" && method !== "HEAD") {
    return refuse(405, "UNSUPPORTED", "This registry can only be read.", { allow: "GET, HEAD" })
  }
  const path = url.replace(/\?.*$/u, "")
  const query = new URLSearchParams(url.slice(path.length))
  if (path === "/v2/" || path === "/v2") return wanted({ kind: "base" })
  if (path === "/v2/_catalog") return Result.map(pageOf(query), (page): Wanted => ({ kind: "catalog", page }))
  const [, name, kind, reference = ""] = endpoint.exec(path) ?? []
  if (name === undefined) return noSuchPath()
  if (!isRepository(name)) return nameInvalid()
  switch (kind) {
    case "blobs":
      return isDigest(reference) ? wanted({ kind, name, reference }) : digestInvalid()
    case "referrers":
      return isDigest(reference) ? wanted({ kind, name, isFiltered: query.has("artifactType") }) : digestInvalid()
    case "manifests":
      if (isTag(reference)) return wanted({ kind, name, reference })
      // No tag has a colon. What can't be a tag is none that there is.
      return reference.includes(":")
        ? isDigest(reference)
          ? wanted({ kind, name, reference })
          : digestInvalid()
        : refuse(404, "MANIFEST_UNKNOWN", "This is neither a tag nor a sha256 digest.")
    default:
      return Result.map(pageOf(query), (page): Wanted => ({ kind: "tags", name, page }))
  }
}

export const noSuchPath = () => refuse(404, "UNSUPPORTED", "The registry protocol has no such path.")

export const nameInvalid = () => refuse(400, "NAME_INVALID", "No repository can have this name.")

export const digestInvalid = () =>
  refuse(400, "DIGEST_INVALID", "This is not a sha256 digest: sha256: and 64 digits of 0-9 and a-f.")

// More at once would only make an answer that nobody reads to its end.
const maxPage = 1000

const pageOf = (query: URLSearchParams) => {
  const last = query.get("last") ?? undefined
  const n = query.get("n")
  if (n === null) return Result.succeed<Page>({ n: maxPage, last })
  return /^\d+$/u.test(n)
    ? Result.succeed<Page>({ n: Math.min(Number(n), maxPage), last })
    : refuse(400, "PAGINATION_NUMBER_INVALID", "n is how many are wanted at most: a number, 0 or more.")
}

/** The part of a list that a page wants, in the order of their letters, and the last of it if more follow. */
export const partOf = (all: ReadonlyArray<string>, { last, n }: Page) => {
  const rest = all.toSorted().filter((one) => last === undefined || one > last)
  const part = rest.slice(0, n)
  return { part, last: part.length < rest.length ? part.at(-1) : undefined }
}

const wanted = (found: Wanted) => Result.succeed(found)

export const isDigest = Schema.is(Digest)

export const refuse = (
  status: number,
  code: DistributionError["code"],
  message: string,
  headers: Readonly<Record<string, string>> = {}
) => Result.fail(new DistributionError({ status, code, message, headers }))

/** The first byte and the last. */
export interface Range {
  readonly first: number
  readonly last: number
}

/**
 * The part that a Range header asks for; undefined: all, as also for several
 * parts at once, which a server need not support.
 * Grammar: RFC 9110, 14.1.2.
 */
export const parseRange = (header: string | undefined, size: number) => {
  const [, from = "", to = ""] = /^bytes=(?=-?\d)(\d*)-(\d*)$/u.exec(header ?? "") ?? []
  if (from === "" && to === "") return Result.succeed(undefined)
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1)
  if (from !== "" && to !== "" && Number(to) < Number(from)) return Result.succeed(undefined)
  return first < size
    ? Result.succeed<Range>({ first, last })
    : refuse(416, "SIZE_INVALID", `It has ${size} bytes.`, { "content-range": `bytes */${size}` })
}

interface Described {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/** Status and headers of content, or of a part of it. */
export const headOf = ({ digest, mediaType, size }: Described, range?: Range) => ({
  status: range === undefined ? 200 : 206,
  contentType: mediaType,
  contentLength: range === undefined ? size : range.last - range.first + 1,
  headers: {
    "docker-content-digest": digest,
    ...(range === undefined ? {} : { "content-range": `bytes ${range.first}-${range.last}/${size}` })
  }
})

/** Whether a client reads this media type, by its header `Accept`; without one it reads all. */
export const accepts = (accept: string | undefined, mediaType: string): boolean =>
  (accept ?? "*/*")
    .split(",")
    .some((one) => ["*/*", "application/*", mediaType].includes(one.replace(/;.*$/u, "").trim().toLowerCase()))

/** Nothing refers to anything here. */
export const noReferrers = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
