/**
 * The one source of a NixBuild. The first build Job resolves `spec.flakeUrl` and
 * reports the result. That Pod is not trusted, so the result must obey the rules
 * of `spec.flakeUrl` and be of the same repository before it is written to the
 * status and before another Job gets it.
 */
import { type LockedInput, maxLockedInputs, maxNameLength, maxUrlLength, type NixBuild } from "../api/nixbuild.ts"
import { flakeUrlRules } from "../api/nixbuild-rules.ts"

/** The flake with its revision or hash, and the inputs that its flake.lock does not lock. */
export interface Source {
  readonly lockedUrl: string
  readonly lockedInputs: ReadonlyArray<LockedInput>
}

/** The source that the status names. */
export const sourceOf = ({ status }: NixBuild): Source | undefined =>
  status?.lockedUrl === undefined ? undefined : { lockedUrl: status.lockedUrl, lockedInputs: status.lockedInputs ?? [] }

/** The node has to wait: another one decides what the source is. */
export const isSourcePending = (build: NixBuild, node: string): boolean =>
  sourceOf(build) === undefined && node !== build.status?.buildNode

/** Why no Job may be given this source, if so. */
export const refusalOf = (flakeUrl: string, { lockedInputs, lockedUrl }: Source): string | undefined => {
  const urls = [lockedUrl, ...lockedInputs.map(({ url }) => url)]
  const broken = urls.flatMap((url) =>
    flakeUrlRules.filter(({ holds }) => !holds(url)).map(({ message }) => `${shown(url)} ${message}`)
  )[0]
  if (broken !== undefined) return broken
  const loose = urls.find((url) => !isLocked(url))
  if (loose !== undefined) return `${shown(loose)} has neither a revision nor a hash`
  const unnamed = lockedInputs.find(({ name }) => !inputName.test(name) || name.length > maxNameLength)
  if (unnamed !== undefined) return `${JSON.stringify(unnamed.name.slice(0, 100))} is not the name of an input`
  const names = new Set(lockedInputs.map(({ name }) => name))
  if (names.size < lockedInputs.length) return "an input is named twice"
  if (names.size > maxLockedInputs) return `more than ${maxLockedInputs} inputs have no lock`
  if (urls.some((url) => url.length > maxUrlLength)) return `a URL has more than ${maxUrlLength} characters`
  return isOfSameOrigin(flakeUrl, lockedUrl)
    ? undefined
    : `${shown(lockedUrl)} is not from the same source as ${shown(flakeUrl)}`
}

// Readers of the object must not see a token, and the advice after the URL must fit too.
const shown = (url: string): string => {
  const masked = url.replace(/\/\/[^/?]*@/u, "//…@")
  return masked.length > 200 ? `${masked.slice(0, 200)}…` : masked
}

// Nix, "Flakes", input names; those of inputs of inputs are joined by slashes.
const inputName = /^[A-Za-z_][A-Za-z0-9_'-]*(?:\/[A-Za-z_][A-Za-z0-9_'-]*)*$/u

const revision = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/u

const parse = (url: string) => {
  const [place = "", query = ""] = url.split("?", 2)
  const parameters = new URLSearchParams(query)
  const [, scheme = "", rest = ""] = /^([a-z+]+):(.*)$/u.exec(place) ?? []
  return { place, parameters, scheme, rest, isForge: !rest.startsWith("//") }
}

/** It names a revision, so the forge need not be asked what it means. */
export const namesRevision = (url: string): boolean => {
  const { isForge, parameters, rest } = parse(url)
  return parameters.has("rev") || (isForge && revision.test(rest.split("/")[2] ?? ""))
}

const isLocked = (url: string): boolean => {
  const { isForge, parameters, rest } = parse(url)
  return parameters.has("rev") || parameters.has("narHash") || (isForge && rest.split("/").length > 2)
}

// Nix may write another form of the same place, and no forge has two that differ in the case of letters.
const plain = (text: string): string =>
  text
    .replace(/%([0-9a-f]{2})/giu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .toLowerCase()
    .replace(/\/+$/u, "")

const repositoryOf = (rest: string): string => plain(rest.split("/").slice(0, 2).join("/"))

/**
 * | spec.flakeUrl            | what it may be locked to                                                       |
 * |--------------------------|--------------------------------------------------------------------------------|
 * | a forge's repository     | the same repository of the same forge                                          |
 * | git+…://                 | the same URL                                                                   |
 * | a tarball, named by hash | the same URL                                                                   |
 * | a tarball                | any tarball, since a server may name a place that stays; over https if that was |
 */
const isOfSameOrigin = (asked: string, locked: string): boolean => {
  const [from, to] = [parse(asked), parse(locked)]
  const isSame = (name: string) => from.parameters.get(name) === to.parameters.get(name)
  if (!isSame("dir")) return false
  if (from.isForge) {
    return from.scheme === to.scheme && isSame("host") && repositoryOf(from.rest) === repositoryOf(to.rest)
  }
  if (from.scheme.startsWith("git+")) return from.scheme === to.scheme && plain(from.rest) === plain(to.rest)
  const transport = (scheme: string) => scheme.replace("tarball+", "")
  if (!/^https?$/u.test(transport(to.scheme)) || to.isForge) return false
  if (from.rest === to.rest) return transport(from.scheme) === transport(to.scheme)
  return !isLocked(asked) && (transport(to.scheme) === "https" || transport(from.scheme) === "http")
}
