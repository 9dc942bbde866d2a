/** Leases of image tags that a namespace does not use any more, or that are marked so. */
import { Effect } from "effect"
import { type Lease, leases, nodes } from "../../lib/api/kubernetes.ts"
import { hasFailed, type NixBuild, nixBuilds, unsettledNodes } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { unusedSinceAnnotation } from "../../lib/keys.ts"
import { heldTagOf, joiningOf, tagOf, usersOf } from "../../lib/tags.ts"
import { type HeldTag, isRelease, releaseTag, reportOf } from "./leases.ts"
import { type Look, orNothing } from "./look.ts"

export const observeTags = Effect.fnUntraced(function* (time: string) {
  const cluster = yield* Cluster
  const seen = yield* lookAtTags(cluster, yield* cluster.list(leases))
  const acting = seen.filter((tag) => releaseTag(tag, time).length > 0)
  const due = acting.filter((tag) => isRelease(tag, time))
  // A mark does no harm, but what is released could be another's in the next moment.
  const past = { get: cluster.getFresh, list: cluster.listFresh }
  const asked = due.map(({ lease }) => lease)
  const confirmed = asked.length === 0 ? [] : yield* orNothing(lookAtTags(past, asked))
  return [...acting.filter((tag) => !isRelease(tag, time)), ...confirmed]
})

const lookAtTags = Effect.fnUntraced(function* (look: Look, among: ReadonlyArray<Lease>) {
  const builds = Map.groupBy(yield* look.list(nixBuilds), (build) => [build.metadata.namespace, tagOf(build)].join(" "))
  const buildsOf = (lease: Lease, namespace: string) => builds.get([namespace, heldTagOf(lease)].join(" ")) ?? []
  const idleOf = (lease: Lease) => usersOf(lease).filter((namespace) => buildsOf(lease, namespace).length === 0)
  const open = among.filter(
    (lease) =>
      idleOf(lease).length > 0 ||
      joiningOf(lease).length > 0 ||
      lease.metadata.annotations?.[unusedSinceAnnotation] !== undefined
  )
  if (open.length === 0) return []
  const reports = (yield* look.list(nodes)).map(reportOf)
  const there = reports.map(({ node }) => node)
  return open.map((lease): HeldTag => ({
    lease,
    idle: idleOf(lease),
    refused: joiningOf(lease).filter(
      (namespace) => !buildsOf(lease, namespace).some((build) => mayImport(build, there))
    ),
    nodes: reports.filter(({ isCut, names }) => isCut || names.has(heldTagOf(lease))).map(({ node }) => node)
  }))
})

const mayImport = (build: NixBuild, there: ReadonlyArray<string>): boolean =>
  !hasFailed(build) && unsettledNodes(build).some((name) => there.includes(name))
