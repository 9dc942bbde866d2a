/**
 * Reads an image's name as containerd and Docker do, so that what is imported
 * is found under the name that a Pod asks for: `x:1` is `docker.io/library/x:1`.
 * Grammar: github.com/distribution/reference, "Grammar".
 */
import { Option } from "effect"

/** A name in full: `name` is domain and path, and either tag or digest or both are there. */
export interface Reference {
  readonly domain: string
  readonly path: string
  readonly tag: Option.Option<string>
  readonly digest: Option.Option<string>
}

// The grammar's limit for domain and path together.
const maxNameLength = 255

const label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
const domainPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`, "u")
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*"
const pathPattern = new RegExp(`^${component}(?:/${component})*$`, "u")
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/u
const digestPattern = /^sha256:[0-9a-f]{64}$/u
const identifierPattern = /^[0-9a-f]{64}$/u

/** Whether a registry may have a repository of this name, which has no domain in front. */
export const isRepository = (name: string): boolean => name.length <= maxNameLength && pathPattern.test(name)

export const isTag = (text: string): boolean => tagPattern.test(text)

/** The parts of an image's name with Docker's defaults filled in; none if it is no such name. */
export const parseReference = (text: string): Option.Option<Reference> => {
  // 64 hex digits are an image's id to Docker, never a name.
  if (identifierPattern.test(text)) return Option.none()
  const at = text.indexOf("@")
  const digest = at < 0 ? Option.none<string>() : Option.some(text.slice(at + 1))
  const named = at < 0 ? text : text.slice(0, at)
  // A colon before the last slash belongs to the domain's port.
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1)
  const name = colon < 0 ? named : named.slice(0, colon)
  const tag = colon >= 0 ? Option.some(named.slice(colon + 1)) : at < 0 ? Option.some("latest") : Option.none<string>()
  const { domain, path } = split(name)
  const valid =
    domainPattern.test(domain) &&
    isRepository(path) &&
    domain.length + 1 + path.length <= maxNameLength &&
    Option.match(tag, { onNone: () => true, onSome: isTag }) &&
    Option.match(digest, { onNone: () => true, onSome: (found) => digestPattern.test(found) })
  return valid ? Option.some({ domain, path, tag, digest }) : Option.none()
}

/** The name as containerd stores it. */
export const formatReference = ({ digest, domain, path, tag }: Reference): string =>
  `${domain}/${path}` +
  Option.match(tag, { onNone: () => "", onSome: (name) => `:${name}` }) +
  Option.match(digest, { onNone: () => "", onSome: (hash) => `@${hash}` })

/** The name in full, none if `text` is no image's name. */
export const normalizeReference = (text: string): Option.Option<string> =>
  Option.map(parseReference(text), formatReference)

/**
 * | name | domain | path |
 * |---|---|---|
 * | `x`, `index.docker.io/x` | docker.io | library/x |
 * | `a/b` | docker.io | a/b |
 * | `h.org/b`, `h:5000/b`, `localhost/b`, `Host/b` | the first part | b |
 */
const split = (name: string): { readonly domain: string; readonly path: string } => {
  const slash = name.indexOf("/")
  const first = name.slice(0, Math.max(slash, 0))
  const isDomain = /[.:A-Z]/u.test(first) || first === "localhost"
  const domain = !isDomain || first === "index.docker.io" ? "docker.io" : first
  const path = isDomain ? name.slice(slash + 1) : name
  return { domain, path: domain === "docker.io" && !path.includes("/") ? `library/${path}` : path }
}
