/** Leases of image tags that no NixBuild names, or that are marked as unused. */
import { Effect } from "effect"
import { type Lease, leases, nodes } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { unusedSinceAnnotation } from "../../lib/keys.ts"
import { fullTag, heldTagOf, holderOf } from "../../lib/tags.ts"
import { type HeldTag, releaseTag, reportOf } from "./leases.ts"
import { type Look, orNothing } from "./look.ts"

export const observeTags = Effect.fnUntraced(function* (time: string) {
  const cluster = yield* Cluster
  const seen = yield* lookAtTags(cluster, yield* cluster.list(leases))
  const actionsOf = (tag: HeldTag) => releaseTag(tag, time).map(({ action }) => action)
  const due = seen.filter((tag) => actionsOf(tag).includes("Delete"))
  // A mark does no harm, but a Lease that is gone could be another's in the next moment.
  const past = { get: cluster.getFresh, list: cluster.listFresh }
  const asked = due.map(({ lease }) => lease)
  const confirmed = asked.length === 0 ? [] : yield* orNothing(lookAtTags(past, asked))
  return [...seen.filter((tag) => actionsOf(tag).includes("Patch")), ...confirmed]
})

const lookAtTags = Effect.fnUntraced(function* (look: Look, among: ReadonlyArray<Lease>) {
  const builds = Map.groupBy(yield* look.list(nixBuilds), ({ metadata, spec }) =>
    [metadata.namespace, fullTag(spec.imageTag)].join(" ")
  )
  const buildsOf = (lease: Lease) => builds.get([holderOf(lease), heldTagOf(lease)].join(" ")) ?? []
  const open = among.filter(
    (lease) => buildsOf(lease).length === 0 || lease.metadata.annotations?.[unusedSinceAnnotation] !== undefined
  )
  if (open.length === 0) return []
  const reports = (yield* look.list(nodes)).map(reportOf)
  return open.map((lease): HeldTag => ({
    lease,
    builds: buildsOf(lease).map(({ metadata }) => metadata.name),
    nodes: reports.filter(({ isCut, names }) => isCut || names.has(heldTagOf(lease))).map(({ node }) => node)
  }))
})
