/** Which Pods still wait for a NixBuild's image on the nodes that have it. */
import { Effect, Option, Schema } from "effect"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { Pod } from "../../lib/kubernetes/kinds.ts"
import { NixBuild, nixBuilds, nodeStatusOf, wantedNodes } from "../../lib/api/nixbuild.ts"
import { isForRegistry } from "../../lib/nixbuild/delivery.ts"
import { podsWaitingOn } from "../../lib/nixbuild/object-questions.ts"
import { observeAwaited } from "../../lib/nixbuild/observe-awaited.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusal } from "../../lib/runtime/function.ts"
import { referToBuild } from "../../lib/nixbuild/map-event.ts"
import { tagOf } from "../../lib/nixbuild/tag-claim.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { isWaitingFor } from "../../lib/nixbuild/waiting-pods.ts"

export const Observed = Schema.Struct({
  time: Schema.String,
  build: NixBuild,
  /** Those that want the image and have it, and where Pods wait for it. */
  nodes: Schema.Array(Schema.Struct({ name: Schema.String, importedTime: Schema.String, waiting: Schema.Array(Pod) })),
  /** What the API server has against Pods that were to be woken. */
  refusals: Schema.Array(Refusal).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
})

export const mapEvent = Effect.fn("pod-waker.mapEvent")(function* (event: CloudEvent) {
  const { name = "", namespace = "" } = event
  if (!isSweep(event)) return [{ kind: nixBuilds.kind, namespace, name }]
  const awaited = yield* observeAwaited
  if (awaited.size === 0) return []
  const cluster = yield* Cluster
  const builds = yield* cluster.list(all(nixBuilds))
  return builds.filter((build) => awaited.has(tagOf(build)) && isSomewhere(build)).map(referToBuild)
})

/** Until a node has the image, nobody can be woken. */
export const isSomewhere = (build: NixBuild): boolean => nodesWithImage(build).length > 0

const nodesWithImage = (build: NixBuild) =>
  (isForRegistry(build) ? [] : wantedNodes(build)).flatMap((name) => {
    const importedTime = nodeStatusOf(build, name)?.importedTime
    return importedTime === undefined ? [] : [{ name, importedTime }]
  })

export const observe = Effect.fn("pod-waker.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const build = yield* cluster.get(nixBuilds, subject)
  if (Option.isNone(build) || build.value.metadata.deletionTimestamp !== undefined) return Option.none()
  const { imageTag } = build.value.spec
  const there = yield* Effect.forEach(nodesWithImage(build.value), (node) =>
    Effect.map(cluster.list(podsWaitingOn(node.name)), (pods) => ({
      ...node,
      waiting: pods.filter((pod) => isWaitingFor(pod, imageTag))
    }))
  )
  const nodes = there.filter(({ waiting }) => waiting.length > 0)
  return nodes.length === 0
    ? Option.none()
    : Option.some({ time: yield* currentTime, build: build.value, nodes, refusals: [] })
})
