/**
 * What a publish Job may ask of CNCF Distribution, which has no accounts of its
 * own: to look, and to push. Nothing is deleted or listed.
 * Protocol: OCI distribution-spec 1.1, "Push".
 */
import { Result } from "effect"
import {
  digestInvalid,
  type DistributionError,
  isDigest,
  nameInvalid,
  noSuchPath,
  refuse,
  type Requested
} from "../../lib/oci/distribution.ts"
import { isRepository, isTag } from "../../lib/oci/reference.ts"

const endpoint = /^\/v2\/(.+)\/(?:(blobs\/uploads)\/([A-Za-z0-9_=-]*)|(blobs|manifests)\/([^/]+))$/u

type Method = "GET" | "HEAD" | "PATCH" | "POST" | "PUT"

const methods = {
  base: ["GET", "HEAD"],
  blobs: ["GET", "HEAD"],
  manifests: ["GET", "HEAD", "PUT"],
  uploads: ["POST"],
  upload: ["GET", "PATCH", "PUT"]
} satisfies Record<string, ReadonlyArray<Method>>

/** The method, if the request may be passed on. */
export const checkPublish = ({ method, url }: Requested): Result.Result<Method, DistributionError> => {
  const path = url.replace(/\?.*$/u, "")
  if (path === "/v2/") return allow(method, methods.base)
  const [, name, uploads, upload = "", kind, reference = ""] = endpoint.exec(path) ?? []
  if (name === undefined) return noSuchPath()
  if (!isRepository(name)) return nameInvalid()
  if (uploads !== undefined) return allow(method, upload === "" ? methods.uploads : methods.upload)
  if (kind === "manifests" && isTag(reference)) return allow(method, methods.manifests)
  if (!isDigest(reference)) return digestInvalid()
  return allow(method, kind === "manifests" ? methods.manifests : methods.blobs)
}

const allow = (method: string, allowed: ReadonlyArray<Method>): Result.Result<Method, DistributionError> => {
  const found = allowed.find((one) => one === method)
  return found === undefined
    ? refuse(405, "UNSUPPORTED", "Here images are pushed, and nothing else.", { allow: allowed.join(", ") })
    : Result.succeed(found)
}

// What is between two hops, and what this server says itself.
const ofOneHop = new Set([
  "authorization",
  "connection",
  "content-length",
  "date",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

type Headers = Readonly<Record<string, string | undefined>>

/** The headers that the other side is to have too. */
export const passedOn = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || ofOneHop.has(name) ? [] : [[name, value]]
    )
  )

/** Where Distribution says that it goes on is behind this server, under the same path. */
export const locationFor = (location: string, distribution: string): string => {
  const to = URL.parse(location, distribution)
  return to === null || to.origin !== new URL(distribution).origin ? location : `${to.pathname}${to.search}`
}
