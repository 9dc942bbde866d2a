/** Who gets an image tag when several ask for it: the first namespace, and in a namespace the oldest NixBuild. */
import type { Action } from "../../lib/action.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { unusedSinceAnnotation } from "../../lib/keys.ts"
import { systemNamespace, tagLeaseName } from "../../lib/names.ts"
import { claimTag, fullTag, heldTagOf, holderOf, markUnused } from "../../lib/tags.ts"
import type { Observed } from "./observe.ts"

type World = Pick<typeof Observed.Type, "leases" | "succeeded" | "unfinished">

/** Who holds which tag, with what is claimed in this look added one by one. */
export const tagClaims = ({ leases, succeeded, unfinished }: World) => {
  const holders = new Map(leases.map((lease) => [heldTagOf(lease), holderOf(lease)]))
  const conflictOf = (build: NixBuild): string | undefined => {
    const tag = fullTag(build.spec.imageTag)
    const holder = holders.get(tag) ?? build.metadata.namespace
    if (holder !== build.metadata.namespace) {
      return `${tag} belongs to the namespace ${holder} as long as a NixBuild there names it or a node has it. If none does: kubectl delete lease -n ${systemNamespace} ${tagLeaseName(tag)}`
    }
    const older = unfinished.slice(0, unfinished.indexOf(build))
    const rival = [...succeeded, ...older].find((other) => isRival(build, other))
    return rival === undefined
      ? undefined
      : `${tag} is built by NixBuild ${rival.metadata.name} from ${rival.spec.flakeUrl}#${rival.spec.packageName}.`
  }
  const marked = leases.filter(({ metadata }) => metadata.annotations?.[unusedSinceAnnotation] !== undefined)
  const take = (build: NixBuild): ReadonlyArray<Action> => {
    const tag = fullTag(build.spec.imageTag)
    if (holders.has(tag)) {
      // Or retention could release the tag at this moment: it only releases what is still marked.
      const at = marked.findIndex((lease) => heldTagOf(lease) === tag)
      return at < 0
        ? []
        : marked.splice(at, 1).map((lease) => markUnused(lease, { since: null, why: `${tag} is used again` }))
    }
    holders.set(tag, build.metadata.namespace ?? "")
    return [claimTag(build)]
  }
  return { conflictOf, take }
}

// One tag may name an image for each system, since a node has only one; two of one flake and package are the same image.
const isRival = (build: NixBuild, other: NixBuild): boolean =>
  other.metadata.namespace === build.metadata.namespace &&
  other.metadata.uid !== build.metadata.uid &&
  other.spec.system === build.spec.system &&
  fullTag(other.spec.imageTag) === fullTag(build.spec.imageTag) &&
  (other.spec.flakeUrl !== build.spec.flakeUrl || other.spec.packageName !== build.spec.packageName)
