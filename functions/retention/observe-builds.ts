/** Finished NixBuilds, where some of them may have to go. */
import { Effect } from "effect"
import { isTrue } from "../../lib/api/condition.ts"
import { nodes, type Pod, pods } from "../../lib/api/kubernetes.ts"
import {
  conditionsOf,
  hasFailed,
  type NixBuild,
  nixBuilds,
  nodeStatusOf,
  unsettledNodes
} from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { isWaitingFor, waitingContainers } from "../../lib/waiting.ts"
import { type FinishedBuild, type History, removeBuilds } from "./history.ts"

export const observeBuilds = Effect.fnUntraced(function* (limits: Omit<History, "finished">) {
  const cluster = yield* Cluster
  const builds = (yield* cluster.list(nixBuilds)).filter(
    (build) => isTrue(conditionsOf(build), "Complete") && build.metadata.deletionTimestamp === undefined
  )
  const finished = builds.map((build) => finish(build, { pending: [], waiting: [] }))
  const excess = removeBuilds({ ...limits, finished })
  const namespaces = new Set(
    excess.flatMap((action) => (action.action === "Delete" ? [action.target.namespace ?? ""] : []))
  )
  if (namespaces.size === 0) return []
  const names = (yield* cluster.list(nodes)).map(({ metadata }) => metadata.name)
  const waiting = (yield* cluster.list(pods)).filter((pod) => waitingContainers(pod).length > 0)
  // A Pod that the cache has not seen yet would wait for what is removed here.
  const fresh = yield* Effect.forEach(namespaces, (namespace) => cluster.listFresh(pods, { namespace }))
  const all = [...waiting, ...fresh.flat()]
  return builds
    .filter(({ metadata }) => namespaces.has(metadata.namespace ?? ""))
    .map((build) => finish(build, { pending: pendingNodes(build, names), waiting: waitingPods(build, all) }))
})

const finish = (build: NixBuild, needs: Pick<FinishedBuild, "pending" | "waiting">): FinishedBuild => {
  const { ttlSecondsAfterFinished } = build.spec
  const { lastTransitionTime = "" } = conditionsOf(build).find(({ type }) => type === "Complete") ?? {}
  return {
    metadata: build.metadata,
    hasFailed: isTrue(conditionsOf(build), "Stalled"),
    completeTime: lastTransitionTime,
    ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
    ...needs
  }
}

/** A failed build brings nothing anywhere, and a node that can't build may never be able to. */
const pendingNodes = (build: NixBuild, there: ReadonlyArray<string>): ReadonlyArray<string> =>
  hasFailed(build)
    ? []
    : unsettledNodes(build).filter(
        (name) => there.includes(name) && nodeStatusOf(build, name)?.reason !== "NoMatchingNode"
      )

const waitingPods = ({ spec }: NixBuild, among: ReadonlyArray<Pod>): ReadonlyArray<string> => [
  ...new Set(
    among
      .filter((pod) => isWaitingFor(pod, spec.imageTag))
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
  )
]
