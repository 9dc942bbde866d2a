/**
 * Image tags that nobody uses: no NixBuild of the namespace that holds one
 * names it, and no node has the image. What a node has is known late and not
 * in full, so a Lease is marked first and removed when that stays so.
 */
import { Schema } from "effect"
import { type Action, referTo } from "../../lib/action.ts"
import { Lease, type Node } from "../../lib/api/kubernetes.ts"
import { unusedSinceAnnotation } from "../../lib/keys.ts"
import { tagLeaseName } from "../../lib/names.ts"
import { fullTag, heldTagOf, markUnused } from "../../lib/tags.ts"
import { earlier } from "../../lib/time.ts"

export const HeldTag = Schema.Struct({
  lease: Lease,
  /** NixBuilds of the namespace that holds the tag, and that name it. */
  builds: Schema.Array(Schema.String),
  /** Nodes that have the image, or may have it. */
  nodes: Schema.Array(Schema.String)
})
export type HeldTag = typeof HeldTag.Type

// An import that has just ended is not in kubelet's report yet; that comes every five minutes at least
// (nodeStatusReportFrequency).
const graceSeconds = 600

export const releaseTag = ({ builds, lease, nodes }: HeldTag, time: string): ReadonlyArray<Action> => {
  if (lease.metadata.deletionTimestamp !== undefined || lease.metadata.name !== tagLeaseName(heldTagOf(lease)))
    return []
  const since = lease.metadata.annotations?.[unusedSinceAnnotation]
  if (builds.length > 0 || nodes.length > 0) {
    return since === undefined ? [] : [markUnused(lease, { since: null, why: `${heldTagOf(lease)} is used again` })]
  }
  if (since === undefined) return [markUnused(lease, { since: time, why: `Nobody uses ${heldTagOf(lease)}` })]
  return since <= earlier(time, graceSeconds)
    ? [
        {
          action: "Delete",
          why: `Nobody uses ${heldTagOf(lease)} since ${since}`,
          target: referTo("Lease", lease),
          // The scheduler takes the mark off before a NixBuild counts on the tag.
          ifUnchanged: true
        }
      ]
    : []
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
