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
    "SIZE_INVALID",
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

interface Referred {
  readonly kind: "manifests" | "blobs" | "referrers"
  readonly name: string
  /** Of a manifest a tag or a digest, of all else a digest. */
  readonly reference: string
}

/** What a request asks for. */
export type Wanted = Referred | { readonly kind: "tags"; readonly name: string } | { readonly kind: "base" }

// A name may have these words in it too: the last of them counts.
const endpoint = /^\/v2\/(.+)\/(?:(manifests|blobs|referrers)\/([^/]+)|tags\/list)$/u

/** The query (`?ns=`) names the registry that containerd means; it is ignored. */
export const parseRequest = ({ method, url }: { readonly method: string; readonly url: string }) => {
  if (method !== "GET" && method !== "HEAD") {
    return refuse(405, "UNSUPPORTED", "This registry can only be read.", { allow: "GET, HEAD" })
  }
  const path = url.replace(/\?.*$/u, "")
  if (path === "/v2/") return wanted({ kind: "base" })
  const [, name, kind, reference = ""] = endpoint.exec(path) ?? []
  if (name === undefined) return refuse(404, "UNSUPPORTED", "The registry protocol has no such path.")
  if (!isRepository(name)) return refuse(404, "NAME_INVALID", "No repository can have this name.")
  if (kind !== "manifests" && kind !== "blobs" && kind !== "referrers") return wanted({ kind: "tags", name })
  if (isDigest(reference) || (kind === "manifests" && isTag(reference))) return wanted({ kind, name, reference })
  if (kind === "manifests") return refuse(404, "MANIFEST_UNKNOWN", "This is neither a tag nor a sha256 digest.")
  // Only of referrers does the specification say that it is an error of the client's.
  return refuse(kind === "referrers" ? 400 : 404, "DIGEST_INVALID", "This is not a sha256 digest.")
}

const wanted = (found: Wanted) => Result.succeed(found)

export const isDigest = Schema.is(Digest)

const refuse = (
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

/** Nothing refers to anything here. */
export const noReferrers = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
