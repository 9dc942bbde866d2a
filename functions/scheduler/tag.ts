/**
 * Who gets an image tag when several ask for it: the first namespace, and in a
 * namespace the oldest NixBuild. Another namespace builds too once one image is
 * known under the tag; whether it gave the same is seen when it is imported.
 */
import type { Action } from "../../lib/runtime/action.ts"
import { type Reason, reasons } from "../../lib/api/reasons.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { namespaceOf } from "../../lib/kubernetes/kind.ts"
import type { Lease } from "../../lib/kubernetes/kinds.ts"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import {
  claimTag,
  digestsOf,
  freeing,
  heldTagOf,
  holderOf,
  markUnused,
  namespacesIn,
  recordImages,
  sourceIn,
  tagOf,
  unusedByOf,
  usersOf
} from "../../lib/nixbuild/tag-claim.ts"
import type { RestsOn } from "../../lib/runtime/interpret.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import type { Observed } from "./observe.ts"

type Input = Pick<Observed, "leases" | "succeeded" | "unfinished">

/** Why a NixBuild may not be built under its tag now. */
export interface TagRefusal {
  readonly reason: Extract<Reason, "TagConflict" | "TagPending">
  readonly message: string
  readonly actions: ReadonlyArray<Action>
}

/** Who has which tag, with what is claimed in this look added one by one. */
export const tagClaims = ({ leases, succeeded, unfinished }: Input) => {
  const claims = new Map(leases.map((lease) => [heldTagOf(lease), lease]))
  const claimed = new Map<string, string>()
  const recorded = new Set<string>()
  const refusals = new Map<string, TagRefusal | undefined>()
  const marked = new Set(leases.filter((lease) => unusedByOf(lease).length > 0))
  // Those that succeeded, then the oldest first.
  const builds = Map.groupBy([...succeeded, ...unfinished], (build) => claimKeyOf(build))
  const rivals = new Map([...builds.values()].flatMap((alike) => [...rivalsAmong(alike)]))

  const refusalOf = (build: NixBuild): TagRefusal | undefined => {
    const tag = tagOf(build)
    const lease = claims.get(tag)
    const holder = lease === undefined ? claimed.get(tag) : holderOf(lease)
    if (holder !== undefined && holder !== build.metadata.namespace) {
      const key = claimKeyOf(build, holder)
      // It is the same for all of other namespaces.
      if (!refusals.has(key)) {
        refusals.set(key, refusalBy(build, { holder, lease, theirs: builds.get(key) ?? [] }))
      }
      const refusal = refusals.get(key)
      // The same write once, whoever is refused.
      if (refusal !== undefined) {
        const isRecorded = recorded.has(tag)
        recorded.add(tag)
        return isRecorded ? { ...refusal, actions: [] } : refusal
      }
    }
    const rival = rivals.get(build)
    return rival === undefined
      ? undefined
      : conflict(`${tag} is already built by NixBuild ${rival.metadata.name} from ${sourceIn(rival)}.`)
  }

  const take = (build: NixBuild): ReadonlyArray<Action> => {
    const tag = tagOf(build)
    const lease = claims.get(tag)
    if (lease !== undefined) {
      // Or retention could release the tag at this moment: it only releases what is still marked.
      return unusedByOf(lease).includes(namespaceOf(build)) && marked.delete(lease)
        ? [markUnused(lease, { why: `${tag} is used again` })]
        : []
    }
    if (claimed.has(tag)) return []
    claimed.set(tag, namespaceOf(build))
    return [claimTag(build)]
  }
  return { refusalOf, take }
}

/** Nothing is said of a NixBuild whose claim on its tag could not be written. */
export const claimsUnder = ({ unfinished }: Input): RestsOn => {
  const builds = new Map(unfinished.map((build) => [build.metadata.uid, build]))
  return (action) => {
    const build = action.action === "Create" ? undefined : builds.get(action.target.uid)
    return build === undefined ? [] : [{ kind: "Lease", namespace: systemNamespace, name: tagLeaseName(tagOf(build)) }]
  }
}

// One tag may name an image for each system, since a node has only one.
const claimKeyOf = (build: NixBuild, namespace = build.metadata.namespace): string =>
  [namespace, build.spec.system, tagOf(build)].join(" ")

/** For each build of those with the same key, the first before it that is made from another source. */
const rivalsAmong = (alike: ReadonlyArray<NixBuild>): ReadonlyMap<NixBuild, NixBuild> => {
  let oldest: NixBuild | undefined
  let second: NixBuild | undefined
  const rivals = new Map<NixBuild, NixBuild>()
  for (const build of alike) {
    oldest ??= build
    const isOther = sourceIn(build) !== sourceIn(oldest)
    const rival = isOther ? oldest : second
    if (rival !== undefined) rivals.set(build, rival)
    if (isOther) second ??= build
  }
  return rivals
}

interface Theirs {
  readonly holder: string
  readonly lease: Lease | undefined
  /** What the holder builds under the tag for the same system. */
  readonly theirs: ReadonlyArray<NixBuild>
}

/**
 * | images known under the tag | the holder's builds            | another namespace |
 * |----------------------------|--------------------------------|-------------------|
 * | one                        |                                | builds            |
 * | more                       |                                | TagConflict       |
 * | none                       | one is not over                | TagPending        |
 * | none                       | none, or they failed           | TagConflict       |
 */
const refusalBy = (build: NixBuild, { holder, lease, theirs }: Theirs): TagRefusal | undefined => {
  const { system } = build.spec
  const tag = tagOf(build)
  const digests = lease === undefined ? [] : digestsOf(lease, system)
  if (digests.length === 1) return undefined
  const owners = namespacesIn(lease === undefined ? [holder] : usersOf(lease))
  const belongs = `${tag} belongs to ${owners} while a NixBuild or a Pod there names it or a node has its image`
  const release = `If it is no longer used: ${freeing(tag)}`
  if (digests.length > 1) {
    return conflict(`${belongs}, and it may mean ${digests.join(" or ")} there. ${release}`)
  }
  const begun = theirs.find((other) => !isTrue(conditionsOf(other), "Complete"))
  // From before images were written down.
  const known = theirs.find((other) => imagesOf(other).length > 0)
  if (begun === undefined && known === undefined) {
    return conflict(`${belongs}. No build there has produced an image for ${system} yet. ${release}`)
  }
  const by = (begun ?? known)?.metadata.name
  return {
    reason: "TagPending",
    message: `${reasons.TagPending} ${tag} belongs to ${owners}, where NixBuild ${by} builds it for ${system}.`,
    actions:
      lease === undefined || known === undefined
        ? []
        : recordImages(lease, { build: known, digests: theirs.flatMap(imagesOf) })
  }
}

const imagesOf = ({ status }: NixBuild): ReadonlyArray<string> =>
  (status?.nodes ?? []).flatMap(({ digest }) => (digest === undefined ? [] : [digest]))

const conflict = (message: string): TagRefusal => ({
  reason: "TagConflict",
  message: `${reasons.TagConflict} ${message}`,
  actions: []
})
