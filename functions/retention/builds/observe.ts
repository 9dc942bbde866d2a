/** Finished NixBuilds, where some of them may have to go. */
import { Effect } from "effect"
import { conditionOf, isTrue } from "../../../lib/kubernetes/condition.ts"
import type { Pod } from "../../../lib/kubernetes/kinds.ts"
import { podsPendingIn, podsWaiting } from "../../../lib/nixbuild/object-questions.ts"
import { conditionsOf, hasFailed, type NixBuild, nodeStatusOf, unsettledNodes } from "../../../lib/api/nixbuild.ts"
import { Cluster } from "../../../lib/kubernetes/cluster.ts"
import { tagOf } from "../../../lib/nixbuild/tag-claim.ts"
import { mapInTurns } from "../../../lib/turns.ts"
import { awaitedImages } from "../../../lib/nixbuild/waiting-pods.ts"
import type { Look } from "../look.ts"
import { type FinishedBuild, type History, removeBuilds } from "./decide.ts"

export const observeBuilds = Effect.fnUntraced(function* (look: Look, limits: Omit<History, "finished">) {
  const cluster = yield* Cluster
  const builds = (yield* look.builds).filter(
    (build) => isTrue(conditionsOf(build), "Complete") && build.metadata.deletionTimestamp === undefined
  )
  const finished = yield* mapInTurns(builds, (build) => finish(build, { pending: [], waiting: [] }))
  const excess = removeBuilds({ ...limits, finished })
  const namespaces = new Set(
    excess.flatMap((action) => (action.action === "Delete" ? [action.target.namespace ?? ""] : []))
  )
  if (namespaces.size === 0) return []
  const names = new Set((yield* look.nodes).map(({ metadata }) => metadata.name))
  const seen = yield* cluster.list(podsWaiting())
  // One that the cache has not seen yet would wait for what is removed here. It is new, and so Pending; one that runs
  // and has lost its image only just now asks again.
  const fresh = yield* Effect.forEach(namespaces, (namespace) => cluster.listFresh(podsPendingIn(namespace)))
  const waiting = awaiting([...seen, ...fresh.flat()])
  return builds
    .filter(({ metadata }) => namespaces.has(metadata.namespace ?? ""))
    .map((build) =>
      finish(build, { pending: pendingNodes(build, names), waiting: [...(waiting.get(tagOf(build)) ?? [])] })
    )
})

const finish = (build: NixBuild, needs: Pick<FinishedBuild, "pending" | "waiting">): FinishedBuild => {
  const { ttlSecondsAfterFinished } = build.spec
  const { lastTransitionTime = "" } = conditionOf(conditionsOf(build), "Complete") ?? {}
  return {
    metadata: build.metadata,
    hasFailed: isTrue(conditionsOf(build), "Stalled"),
    completeTime: lastTransitionTime,
    ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
    ...needs
  }
}

/** A failed build brings nothing anywhere, and a node that can't build may never be able to. */
const pendingNodes = (build: NixBuild, there: ReadonlySet<string>): ReadonlyArray<string> =>
  hasFailed(build)
    ? []
    : unsettledNodes(build).filter((name) => there.has(name) && nodeStatusOf(build, name)?.reason !== "NoMatchingNode")

/** By the image that they wait for, namespace/name of each of these Pods. */
const awaiting = (among: ReadonlyArray<Pod>): ReadonlyMap<string, ReadonlySet<string>> => {
  const waiting = new Map<string, Set<string>>()
  for (const pod of among) {
    const { name, namespace } = pod.metadata
    for (const image of awaitedImages(pod)) {
      waiting.set(image, (waiting.get(image) ?? new Set()).add(`${namespace}/${name}`))
    }
  }
  return waiting
}
