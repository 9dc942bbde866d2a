/**
 * Image tags that a namespace does not use any more: no NixBuild and no Pod of
 * it names one, and no node has the image. What a node has is known late and
 * not in full, so a Lease is marked first, and changed or removed when that
 * stays so:
 *
 * | a node reports the image            | the tag is kept                       |
 * |-------------------------------------|---------------------------------------|
 * | yes                                 | as long as that is so                 |
 * | no, but it does not report them all | three days after the last use         |
 * | no, and each reports all            | ten minutes after the last use        |
 *
 * In a grown cluster no node reports all, and no tag would ever be free. Who
 * runs from an image that no report shows has a Pod that says so, or had one
 * lately; so what the three days are for is a workload without Pods, such as
 * one that is scaled to nothing for a weekend.
 */
import { Effect, Schema } from "effect"
import { type Action, referTo } from "../../../lib/runtime/action.ts"
import { Lease, leases, type Node } from "../../../lib/kubernetes/kinds.ts"
import {
  digestsAnnotation,
  sourceAnnotation,
  unusedByAnnotation,
  unusedSinceAnnotation
} from "../../../lib/api/annotations.ts"
import { tagLeaseName } from "../../../lib/api/names.ts"
import {
  changeClaim,
  fullTag,
  heldTagOf,
  joiningOf,
  markUnused,
  namespacesIn,
  unusedByOf,
  usersOf
} from "../../../lib/nixbuild/tag-claim.ts"
import { once, onceForText } from "../../../lib/once.ts"
import { systems } from "../../../lib/api/system.ts"
import { secondsBefore } from "../../../lib/kubernetes/time.ts"

export const HeldTag = Schema.Struct({
  lease: Lease,
  /** Namespaces that use the tag, and of which no NixBuild and no Pod names it. */
  idle: Schema.Array(Schema.String),
  /** Namespaces that were about to use the tag, and bring nothing any more. */
  refused: Schema.Array(Schema.String),
  /** Nodes that report the image. */
  nodes: Schema.Array(Schema.String),
  /** How many nodes do not, and do not report all that they have. */
  unsureNodes: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))
})
export type HeldTag = typeof HeldTag.Type

// An import that has just ended is not in kubelet's report yet; that comes every five minutes at least
// (nodeStatusReportFrequency).
const graceSeconds = 600

// A weekend and a day.
const unsureGraceSeconds = 259_200

const isOver = (since: string, { time, unsureNodes }: Pick<HeldTag, "unsureNodes"> & { readonly time: string }) =>
  since <= secondsBefore(time, unsureNodes === 0 ? graceSeconds : unsureGraceSeconds)

export const releaseTag = (held: HeldTag, time: string): ReadonlyArray<Action> => {
  const { idle, lease, nodes, refused, unsureNodes } = held
  const tag = heldTagOf(lease)
  if (lease.metadata.deletionTimestamp !== undefined || lease.metadata.name !== tagLeaseName(tag)) return []
  if (refused.length > 0) {
    const joining = joiningOf(lease).filter((namespace) => !refused.includes(namespace))
    return [changeClaim(lease, { why: `${refused.join(", ")} did not bring an image under ${tag}`, joining })]
  }
  const since = lease.metadata.annotations?.[unusedSinceAnnotation]
  if (idle.length === 0 || nodes.length > 0) {
    return since === undefined ? [] : [markUnused(lease, { why: `${tag} is used again` })]
  }
  const known = unusedByOf(lease)
  const isNews = idle.some((namespace) => !known.includes(namespace))
  if (since === undefined || isNews || known.length > idle.length) {
    const unused = { since: since === undefined || isNews ? time : since, by: idle }
    return [markUnused(lease, { why: `Not used by ${namespacesIn(idle)}: ${tag}`, unused })]
  }
  return isOver(since, { time, unsureNodes }) ? release(held, since) : []
}

/** Whether a namespace is put out of the claim, or the claim is removed; or it is only marked. */
export const isRelease = ({ idle, lease, refused, unsureNodes }: HeldTag, time: string): boolean => {
  const since = lease.metadata.annotations?.[unusedSinceAnnotation]
  return refused.length > 0 || (idle.length > 0 && since !== undefined && isOver(since, { time, unsureNodes }))
}

const release = ({ idle, lease, unsureNodes }: HeldTag, since: string): ReadonlyArray<Action> => {
  const tag = heldTagOf(lease)
  const [holder, ...sharing] = [...usersOf(lease).filter((user) => !idle.includes(user)), ...joiningOf(lease)]
  if (holder === undefined) {
    return [
      {
        action: "Delete",
        why: `Nobody uses ${tag} since ${since}`,
        target: referTo(leases, lease),
        // The scheduler takes the mark off before a NixBuild counts on the tag.
        ifUnchanged: true
      }
    ]
  }
  // Where no node has an image under the tag, the next may be another. Where one may have it, those who stay are held to
  // it as before: what it is does not change while two use it.
  const known =
    unsureNodes > 0 ? [] : systems.flatMap((system) => [digestsAnnotation(system), sourceAnnotation(system)])
  const there = [...known, unusedSinceAnnotation, unusedByAnnotation].filter(
    (annotation) => lease.metadata.annotations?.[annotation] !== undefined
  )
  return [
    changeClaim(lease, {
      why: `Not used by ${namespacesIn(idle)} since ${since}: ${tag}`,
      holder,
      sharing,
      joining: [],
      annotations: Object.fromEntries(there.map((annotation) => [annotation, null]))
    })
  ]
}

// kubelet's nodeStatusMaxImages by default, and its MaxNamesPerImageInNodeStatus: more are not reported.
const maxImages = 50
const maxNames = 5

// Most nodes report the same images.
const fullName = onceForText(fullTag)

/** Every image name that a node reports, in full; and whether there may be more than it reports. */
export const reportOf = once(({ metadata, status }: Node) => {
  const images = (status.images ?? []).map(({ names }) => names ?? [])
  return {
    node: metadata.name,
    names: new Set(images.flat().map(fullName)),
    isCut: images.length >= maxImages || images.some((names) => names.length >= maxNames)
  }
})
export type Report = ReturnType<typeof reportOf>

/** What the nodes say of each of these image tags. */
export const reportsOf = (reports: ReadonlyArray<Report>, tags: ReadonlySet<string>) => {
  const cut = new Set(reports.filter(({ isCut }) => isCut).map(({ node }) => node))
  const having = Map.groupBy(
    // A thousand nodes report a hundred names each.
    reports.flatMap(({ names, node }) =>
      Array.from(names)
        .filter((name) => tags.has(name))
        .map((name) => ({ name, node }))
    ),
    ({ name }) => name
  )
  return (tag: string): Pick<HeldTag, "nodes" | "unsureNodes"> => {
    const nodes = (having.get(tag) ?? []).map(({ node }) => node)
    return { nodes, unsureNodes: cut.size - nodes.filter((node) => cut.has(node)).length }
  }
}
