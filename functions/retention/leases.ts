/**
 * Image tags that a namespace does not use any more: no NixBuild of it names
 * one, and no node has the image. What a node has is known late and not in
 * full, so a Lease is marked first, and changed or removed when that stays so.
 */
import { Schema } from "effect"
import { type Action, referTo } from "../../lib/action.ts"
import { Lease, type Node } from "../../lib/api/kubernetes.ts"
import { digestsAnnotation, sourceAnnotation, unusedByAnnotation, unusedSinceAnnotation } from "../../lib/keys.ts"
import { tagLeaseName } from "../../lib/names.ts"
import {
  changeClaim,
  fullTag,
  heldTagOf,
  joiningOf,
  markUnused,
  namespacesIn,
  unusedByOf,
  usersOf
} from "../../lib/tags.ts"
import { systems } from "../../lib/api/system.ts"
import { earlier } from "../../lib/time.ts"

export const HeldTag = Schema.Struct({
  lease: Lease,
  /** Namespaces that use the tag, and of which no NixBuild names it. */
  idle: Schema.Array(Schema.String),
  /** Namespaces that were about to use the tag, and bring nothing any more. */
  refused: Schema.Array(Schema.String),
  /** Nodes that have the image, or may have it. */
  nodes: Schema.Array(Schema.String)
})
export type HeldTag = typeof HeldTag.Type

// An import that has just ended is not in kubelet's report yet; that comes every five minutes at least
// (nodeStatusReportFrequency).
const graceSeconds = 600

export const releaseTag = (held: HeldTag, time: string): ReadonlyArray<Action> => {
  const { idle, lease, nodes, refused } = held
  const tag = heldTagOf(lease)
  if (lease.metadata.deletionTimestamp !== undefined || lease.metadata.name !== tagLeaseName(tag)) return []
  if (refused.length > 0) {
    const joining = joiningOf(lease).filter((namespace) => !refused.includes(namespace))
    return [changeClaim(lease, { why: `${refused.join(", ")} did not bring an image under ${tag}`, joining })]
  }
  const { [unusedSinceAnnotation]: since } = lease.metadata.annotations ?? {}
  if (idle.length === 0 || nodes.length > 0) {
    return since === undefined ? [] : [markUnused(lease, { why: `${tag} is used again` })]
  }
  const known = unusedByOf(lease)
  const isNews = idle.some((namespace) => !known.includes(namespace))
  if (since === undefined || isNews || known.length > idle.length) {
    const unused = { since: since === undefined || isNews ? time : since, by: idle }
    return [markUnused(lease, { why: `Not used by ${namespacesIn(idle)}: ${tag}`, unused })]
  }
  return since <= earlier(time, graceSeconds) ? release(held, since) : []
}

/** Whether a namespace is put out of the claim, or the claim is removed; or it is only marked. */
export const isRelease = ({ idle, lease, refused }: HeldTag, time: string): boolean => {
  const { [unusedSinceAnnotation]: since } = lease.metadata.annotations ?? {}
  return refused.length > 0 || (idle.length > 0 && since !== undefined && since <= earlier(time, graceSeconds))
}

const release = ({ idle, lease }: HeldTag, since: string): ReadonlyArray<Action> => {
  const tag = heldTagOf(lease)
  const [holder, ...sharing] = [...usersOf(lease).filter((user) => !idle.includes(user)), ...joiningOf(lease)]
  if (holder === undefined) {
    return [
      {
        action: "Delete",
        why: `Nobody uses ${tag} since ${since}`,
        target: referTo("Lease", lease),
        // The scheduler takes the mark off before a NixBuild counts on the tag.
        ifUnchanged: true
      }
    ]
  }
  // No node has an image under the tag, so that the next may be another.
  const known = systems.flatMap((system) => [digestsAnnotation(system), sourceAnnotation(system)])
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

/** Every image name that a node reports, in full; and whether there may be more than it reports. */
export const reportOf = ({ metadata, status }: Node) => {
  const images = (status.images ?? []).map(({ names }) => names ?? [])
  return {
    node: metadata.name,
    names: new Set(images.flat().map(fullTag)),
    isCut: images.length >= maxImages || images.some((names) => names.length >= maxNames)
  }
}
