/** All that competes for build slots: NixBuilds that nodes still want, nodes, and the rules. */
import { Effect, Equal, Option, Schema } from "effect"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { Lease, leases, Node, nodes, withoutImages } from "../../lib/kubernetes/kinds.ts"
import { conditionsOf, hasFailed, NixBuild, unsettledNodes, wantedNodes } from "../../lib/api/nixbuild.ts"
import { buildsIn, openBuilds } from "../../lib/nixbuild/questions.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { Settings } from "../../lib/api/settings.ts"
import { lacksSlot, needsSlot, slotsOf } from "../../lib/nixbuild/slots.ts"
import { heldTagOf, holderOf, tagOf } from "../../lib/nixbuild/tag-claim.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"

export const Observed = Schema.Struct({
  time: Schema.String,
  /** Oldest first. */
  unfinished: Schema.Array(NixBuild),
  /** Complete, and wanted on further nodes; oldest first. */
  delivering: Schema.Array(NixBuild).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  /** Those that succeeded under a tag that one of the unfinished asks for, in its namespace or in the tag's. */
  succeeded: Schema.Array(NixBuild),
  /** Who has the tags that the unfinished ask for. */
  leases: Schema.Array(Lease),
  nodes: Schema.Array(Node),
  maxBuildsPerNode: Schema.Int,
  nodeRepel: Schema.Array(Schema.String),
  /** What the API server has against objects that were to be written. */
  refusals: Refusals
})
export type Observed = typeof Observed.Type

// Slots are shared by all builds, so every event leads to one look at all of them.
const everything: Reference = { kind: "Cluster", name: "all" }

export const mapEvent = () => Effect.succeed([everything])

export const observe = Effect.fn("scheduler.observe")(function* () {
  const cluster = yield* Cluster
  const { maxBuildsPerNode, nodeRepel } = yield* Settings
  const time = yield* currentTime
  const open = (yield* cluster.list(openBuilds())).filter(
    (build) => !hasFailed(build) && build.metadata.deletionTimestamp === undefined
  )
  const unfinished = oldestFirst(open.filter((build) => !isTrue(conditionsOf(build), "Complete")))
  const delivering = oldestFirst(
    open.filter((build) => isTrue(conditionsOf(build), "Complete") && unsettledNodes(build).length > 0)
  )
  if (![...unfinished, ...delivering].some((build) => mayWantSlot(build, time))) return Option.none()
  const claims = yield* observeClaims(new Set(unfinished.map(tagOf)))
  const holders = new Map(claims.map((lease) => [heldTagOf(lease), holderOf(lease)]))
  const claimKeys = new Set(
    unfinished.flatMap((build) => [claimKeyOf(build), claimKeyOf(build, holders.get(tagOf(build)))])
  )
  const namespaces = new Set(unfinished.flatMap((build) => [build.metadata.namespace, holders.get(tagOf(build))]))
  const alike = yield* Effect.forEach(namespaces, (namespace) =>
    namespace === undefined ? Effect.succeed([]) : cluster.list(buildsIn(namespace))
  )
  return Option.some({
    time,
    unfinished,
    delivering,
    succeeded: alike
      .flat()
      .filter(
        (build) => isTrue(conditionsOf(build), "Complete") && !hasFailed(build) && claimKeys.has(claimKeyOf(build))
      ),
    leases: claims,
    nodes: (yield* cluster.list(all(nodes))).map(withoutImages),
    maxBuildsPerNode,
    nodeRepel,
    refusals: []
  })
})

/** It builds on each node that is to have the image, so it neither asks for a slot nor has one for others. */
export const keepsItsSlots = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp === undefined &&
  isTrue(conditionsOf(build), "Scheduled") &&
  !isTrue(conditionsOf(build), "Complete") &&
  Equal.equals(new Set(slotsOf(build)), new Set(wantedNodes(build))) &&
  wantedNodes(build).every((name) => needsSlot(build, name))

// A Lease stays as long as a node may have the image, so all of them are many pages.
const fewTags = 20

const observeClaims = Effect.fnUntraced(function* (tags: ReadonlySet<string>) {
  const cluster = yield* Cluster
  if (tags.size > fewTags) return (yield* cluster.list(all(leases))).filter((lease) => tags.has(heldTagOf(lease)))
  const claims = yield* Effect.forEach(tags, (tag) =>
    cluster.get(leases, { namespace: systemNamespace, name: tagLeaseName(tag) })
  )
  return claims.flatMap(Option.toArray)
})

const mayWantSlot = (build: NixBuild, time: string): boolean =>
  !isTrue(conditionsOf(build), "Scheduled") ||
  !(isTrue(conditionsOf(build), "Launched") || isTrue(conditionsOf(build), "Success")) ||
  unsettledNodes(build).some((name) => lacksSlot(build, name, time))

const claimKeyOf = (build: NixBuild, namespace = build.metadata.namespace): string =>
  `${namespace} ${build.spec.system} ${tagOf(build)}`

const oldestFirst = (builds: ReadonlyArray<NixBuild>): ReadonlyArray<NixBuild> =>
  builds
    .map((build) => ({ build, age: age(build) }))
    .toSorted((a, b) => (a.age < b.age ? -1 : 1))
    .map(({ build }) => build)

const age = ({ metadata }: NixBuild): string => `${metadata.creationTimestamp ?? ""} ${metadata.uid}`
