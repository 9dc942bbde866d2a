/** All that competes for build slots: unfinished NixBuilds, nodes, and the rules. */
import { Effect, Option, Schema } from "effect"
import { isTrue } from "../../lib/api/condition.ts"
import type { Reference } from "../../lib/api/kind.ts"
import { Lease, leases, Node, nodes, withoutImages } from "../../lib/api/kubernetes.ts"
import { conditionsOf, hasFailed, NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { Settings } from "../../lib/settings.ts"
import { fullTag, heldTagOf, holderOf } from "../../lib/tags.ts"
import { currentTime } from "../../lib/time.ts"

export const Observed = Schema.Struct({
  time: Schema.String,
  /** Oldest first. */
  unfinished: Schema.Array(NixBuild),
  /** Those that succeeded under a tag that one of the unfinished asks for, in its namespace or in the tag's. */
  succeeded: Schema.Array(NixBuild),
  /** Who has the tags that the unfinished ask for. */
  leases: Schema.Array(Lease),
  nodes: Schema.Array(Node),
  maxBuildsPerNode: Schema.Int,
  nodeRepel: Schema.Array(Schema.String)
})

// Slots are shared by all builds, so every event leads to one look at all of them.
const everything: Reference = { kind: "Cluster", name: "all" }

export const subjects = () => Effect.succeed([everything])

export const observe = Effect.fn("scheduler.observe")(function* () {
  const cluster = yield* Cluster
  const { maxBuildsPerNode, nodeRepel } = yield* Settings
  const builds = yield* cluster.list(nixBuilds)
  const unfinished = builds
    .filter((build) => !isTrue(conditionsOf(build), "Complete") && build.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => age(a).localeCompare(age(b)))
  if (unfinished.every((build) => isTrue(conditionsOf(build), "Launched"))) return Option.none()
  const asking = unfinished.filter((build) => !isTrue(conditionsOf(build), "Launched"))
  const tags = new Set(asking.map(({ spec }) => fullTag(spec.imageTag)))
  const claims = (yield* cluster.list(leases)).filter((lease) => tags.has(heldTagOf(lease)))
  const holders = new Map(claims.map((lease) => [heldTagOf(lease), holderOf(lease)]))
  const wishes = new Set(
    asking.flatMap((build) => [wishOf(build), wishOf(build, holders.get(fullTag(build.spec.imageTag)))])
  )
  return Option.some({
    time: yield* currentTime,
    unfinished,
    succeeded: builds.filter(
      (build) => isTrue(conditionsOf(build), "Complete") && !hasFailed(build) && wishes.has(wishOf(build))
    ),
    leases: claims,
    nodes: (yield* cluster.list(nodes)).map(withoutImages),
    maxBuildsPerNode,
    nodeRepel
  })
})

const wishOf = ({ metadata, spec }: NixBuild, namespace = metadata.namespace): string =>
  `${namespace} ${spec.system} ${fullTag(spec.imageTag)}`

const age = ({ metadata }: NixBuild): string => `${metadata.creationTimestamp ?? ""} ${metadata.uid}`
