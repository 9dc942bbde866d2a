/** What is known about a Pod that may wait for an image: its node, its NixBuild, what it was told. */
import { Effect, Option, Schema } from "effect"
import type { Reference } from "../../lib/api/kind.ts"
import { events, Node, nodes, Pod, pods, withoutImages } from "../../lib/api/kubernetes.ts"
import { NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { type CloudEvent, isSweep } from "../../lib/events.ts"
import { Refusal } from "../../lib/function.ts"
import { regardingLabel } from "../../lib/keys.ts"
import { currentTime } from "../../lib/time.ts"
import { isWaitingFor, waitingContainers } from "../../lib/waiting.ts"
import { annotationsOf, nixBuildName, wishOf } from "./nixbuild.ts"

export const Observed = Schema.Struct({
  time: Schema.String,
  pod: Pod,
  node: Schema.optionalKey(Node),
  /** The NixBuild that the Pod's annotations lead to, if it is there. */
  build: Schema.optionalKey(NixBuild),
  /** What the API server has against creating it. */
  refusal: Schema.optionalKey(Refusal),
  /** Names of the Events that this Pod got from us. */
  said: Schema.Array(Schema.String)
})

export const subjects = Effect.fn("pod-failure-detector.subjects")(function* (event: CloudEvent) {
  const { kind, name, namespace } = event
  if (kind === "Pod" && name !== undefined) return [{ kind, namespace: namespace ?? "", name }]
  const cluster = yield* Cluster
  const all = yield* cluster.list(pods)
  if (isSweep(event)) return all.filter(isOpen).map(referToPod)
  const build = yield* cluster.get(nixBuilds, { namespace, name: name ?? "" })
  if (Option.isNone(build)) return []
  const { imageTag } = build.value.spec
  return all.filter((pod) => isOpen(pod) && isWaitingFor(pod, imageTag)).map(referToPod)
})

/** One that asks for an image, and waits for one. */
export const isOpen = (pod: Pod): boolean => annotationsOf(pod).length > 0 && waitingContainers(pod).length > 0

const referToPod = ({ metadata }: Pod): Reference => ({
  kind: "Pod",
  namespace: metadata.namespace ?? "",
  name: metadata.name
})

export const observe = Effect.fn("pod-failure-detector.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const pod = yield* cluster.get(pods, subject)
  if (Option.isNone(pod) || !isOpen(pod.value)) return Option.none()
  const { metadata, spec } = pod.value
  const node = yield* spec.nodeName === undefined ? Effect.succeedNone : cluster.get(nodes, { name: spec.nodeName })
  const said = (yield* cluster.list(events, {
    namespace: metadata.namespace,
    labels: { [regardingLabel]: metadata.uid }
  })).map((event) => event.metadata.name)
  const wish = wishOf(pod.value, Option.getOrUndefined(node))
  const build =
    wish === undefined
      ? Option.none()
      : yield* cluster.get(nixBuilds, { namespace: metadata.namespace, name: nixBuildName(wish) })
  return Option.some({
    time: yield* currentTime,
    pod: pod.value,
    ...(Option.isSome(node) ? { node: withoutImages(node.value) } : {}),
    ...(Option.isSome(build) ? { build: build.value } : {}),
    said
  })
})
