/**
 * The image that a pulled name asks for, as Nixery reads names: its parts are
 * packages, in any order. In front there may be:
 *
 * | part           | means                                                            |
 * |----------------|------------------------------------------------------------------|
 * | shell          | bash, coreutils, moreutils and nano, and bash is what runs       |
 * | amd64, arm64   | built for that system only                                       |
 */
import { Option } from "effect"
import { maxContents } from "../api/image-request.ts"
import { type NixImage, nixImages, ownNameOf, wantedNameOf } from "../api/niximage.ts"
import { systemOf } from "../api/system.ts"
import { hash10 } from "../hash.ts"
import type { KubernetesObject } from "../kubernetes/kind.ts"
import { managedBy } from "../kubernetes/kinds.ts"
import { parseReference } from "../oci/reference.ts"

/** A name of the registry, without the registry. */
export interface PullName {
  readonly repository: string
  readonly tag: string
}

/** What an image's name names in the registry of that name; none if it is of another, or names a digest. */
export const pullNameOf = (image: string, registry: string): PullName | undefined => {
  const reference = Option.getOrUndefined(parseReference(image))
  const tag = reference === undefined ? undefined : Option.getOrUndefined(reference.tag)
  if (reference === undefined || tag === undefined || Option.isSome(reference.digest)) return undefined
  return namesOf(registry).includes(reference.domain) ? { repository: reference.path, tag } : undefined
}

/** Where nodes reach the registry, whatever else it is called. */
const onNodes = "127.0.0.1:5080"

// On the node localhost is the same place.
const namesOf = (registry: string): ReadonlyArray<string> =>
  [registry, registry.startsWith("127.0.0.1") ? registry : onNodes].flatMap((name) => [
    name,
    name.replace(/^127\.0\.0\.1/, "localhost")
  ])

const architectures = ["amd64", "arm64"]
const isMeta = (part: string): boolean => part === "shell" || architectures.includes(part)

export const textOf = ({ repository, tag }: PullName): string => `${repository}:${tag}`

/** Whether the registry serves, or will serve, the image under this name, if nobody else has it. */
export const isNamed = (image: NixImage, name: PullName): boolean =>
  [ownNameOf(image), wantedNameOf(image)].includes(textOf(name))

/** Whether the registry serves it under this name. */
export const isServedAs = (image: NixImage, name: PullName): boolean =>
  [ownNameOf(image), image.status?.holds].includes(textOf(name))

const shell = ["bashInteractive", "coreutils", "moreutils", "nano"]

type Data = NixImage["data"]

/** What goes into the image, or why it can't be told. */
export const contentsOf = (
  { repository, tag }: PullName,
  packageSet: string
): Omit<Data, "name" | "tag"> | { readonly problem: string } => {
  const parts = repository.split("/")
  const first = parts.findIndex((part) => !isMeta(part))
  const [before, packages] = first < 0 ? [parts, []] : [parts.slice(0, first), parts.slice(first)]
  const isShell = before.includes("shell")
  const systems = before.flatMap((part) => systemOf(part) ?? [])
  const contents = [...(isShell ? shell : []), ...packages]
  if (contents.length === 0) return { problem: "names no package" }
  if (contents.length > maxContents) return { problem: `names more than ${maxContents} packages` }
  const late = packages.find(isMeta)
  if (late !== undefined) return { problem: `has ${late} behind a package, but it belongs in front` }
  const isRevision = /^[0-9a-f]{40}$/.test(tag)
  const at = isRevision ? atRevision(packageSet, tag) : undefined
  if (isRevision && at === undefined) {
    return { problem: `has a revision as its tag, but the package set ${packageSet} has none` }
  }
  return {
    contents,
    ignoreCase: true,
    ...(isShell ? { config: { Cmd: ["bash"] } } : {}),
    ...(systems.length === 0 ? {} : { systems: [...new Set(systems)] }),
    ...(at === undefined ? {} : { packages: at })
  }
}

/** The same repository at that revision; none where the URL is of no repository. */
const atRevision = (url: string, revision: string): string | undefined => {
  const [place = "", query = ""] = url.split("?", 2)
  const parameters = query
    .split("&")
    .filter((parameter) => parameter !== "" && !/^(?:rev|ref|narHash)=/.test(parameter))
  const withQuery = (start: string, all: ReadonlyArray<string>) =>
    all.length === 0 ? start : `${start}?${all.join("&")}`
  const [, forge] = /^((?:github|gitlab|sourcehut):[^/]+\/[^/]+)/.exec(place) ?? []
  if (forge !== undefined) return withQuery(`${forge}/${revision}`, parameters)
  return place.startsWith("git+") ? withQuery(place, [...parameters, `rev=${revision}`]) : undefined
}

/** A NixImage of that name and tag, which the same name always makes. */
export const makePulledImage = (
  { repository, tag }: PullName,
  namespace: string | undefined,
  data: Omit<Data, "name" | "tag">
): KubernetesObject => ({
  apiVersion: nixImages.apiVersion,
  kind: nixImages.kind,
  metadata: { name: pulledImageName({ repository, tag }), namespace, labels: managedBy },
  data: { name: repository, tag, ...data }
})

export const pulledImageName = ({ repository, tag }: PullName): string => {
  const readable = repository
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replace(/-$/, "")
  return `${readable}-${hash10(repository, tag)}`
}
