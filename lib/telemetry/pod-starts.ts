/**
 * Ends the spans that no write of ours ends: a woken Pod starts to run, which
 * kubelet does. The Pod's event ends the span, so a lost event loses the span,
 * and a restarted or second process may send it twice, as the same span.
 */
import { Effect, Option } from "effect"
import { type Pod, pods } from "../kubernetes/kinds.ts"
import { nixBuilds, nodeStatusOf } from "../api/nixbuild.ts"
import { Cluster } from "../kubernetes/cluster.ts"
import type { CloudEvent } from "../runtime/events.ts"
import { ignoreIf } from "../runtime/predicate.ts"
import { wokenAnnotation } from "../api/annotations.ts"
import { currentTime, secondsBetween } from "../kubernetes/time.ts"
import { rootOf } from "./nixbuild-spans.ts"
import type { Phase } from "./span.ts"
import { containersOf, containerStatusesOf, isSameImage } from "../nixbuild/waiting-pods.ts"
import { isWokenFor, wakingsOf } from "../nixbuild/waking.ts"

// Pods keep changing while they exist, and a process that starts receives an event for each existing one.
const newsSeconds = 300

export const phasesOfStart = Effect.fn("telemetry.podStarts")(function* ({
  kind,
  name = "",
  namespace = ""
}: CloudEvent) {
  if (kind !== "Pod") return []
  const cluster = yield* Cluster
  const pod = Option.getOrUndefined(yield* cluster.get(pods, { name, namespace }))
  if (pod?.metadata.annotations?.[wokenAnnotation] === undefined) return []
  const now = yield* currentTime
  const news = starts(pod).filter(({ time }) => secondsBetween(time, now) < newsSeconds)
  if (news.length === 0) return []
  const { nodeName = "" } = pod.spec
  const builds = yield* Effect.forEach(wakingsOf(pod), (at) => cluster.get(nixBuilds, at))
  const arrivals = builds.flatMap(Option.toArray).flatMap((build) => {
    const importedTime = nodeStatusOf(build, nodeName)?.importedTime
    return importedTime !== undefined && isWokenFor(pod, { build, importedTime }) ? [{ build, importedTime }] : []
  })
  return arrivals.flatMap(({ build, importedTime }) =>
    news
      .filter(({ image }) => isSameImage(image, build.spec.imageTag))
      .slice(0, 1)
      .map(({ image, time }): Phase => ({
        name: "pod-starts",
        root: rootOf(build),
        key: [pod.metadata.uid],
        from: importedTime,
        to: time,
        attributes: {
          "k8s.pod.name": pod.metadata.name,
          "k8s.pod.uid": pod.metadata.uid,
          "k8s.node.name": nodeName,
          "container.image.name": image
        }
      }))
  )
})

/** When its containers started, each with its image. */
const starts = (pod: Pod) => {
  const images = new Map(containersOf(pod).map(({ image, name }) => [name, image]))
  return containerStatusesOf(pod).flatMap(({ name, state }) => {
    const [image, time] = [images.get(name), state?.running?.startedAt ?? state?.terminated?.startedAt]
    return image === undefined || typeof time !== "string" ? [] : [{ image, time }]
  })
}

/** Pods that were not woken, or run no container yet. */
export const notStarted = ignoreIf(
  pods,
  (pod) => pod.metadata.annotations?.[wokenAnnotation] === undefined || starts(pod).length === 0
)
