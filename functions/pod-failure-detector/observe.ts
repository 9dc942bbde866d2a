/** What is known about a Pod that may wait for images: its node, its NixBuilds, the Events that it got. */
import { Effect, Option, Schema } from "effect"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { type Event, Node, nodes, Pod, pods, withoutImages } from "../../lib/kubernetes/kinds.ts"
import { eventsRegarding, podsWaiting, podsWaitingIn } from "../../lib/nixbuild/object-questions.ts"
import { conditionsOf, NixBuild, nixBuilds, type NodeStatus } from "../../lib/api/nixbuild.ts"
import { NixImage, nixImages } from "../../lib/api/niximage.ts"
import { Settings } from "../../lib/api/settings.ts"
import { Cluster, getConfirmed } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusal } from "../../lib/runtime/function.ts"
import { isNamed } from "../../lib/niximage/pull-name.ts"
import { imagesTagged } from "../../lib/niximage/questions.ts"
import { isUnderWay } from "../../lib/nixbuild/slots.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { isWaitingFor, waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import { asksForBuilds } from "./annotations.ts"
import { pullsOf } from "./registry.ts"
import { requestsOf } from "./request.ts"

const optional = Schema.optionalKey

/** An Event that this Pod got from us. */
const Said = Schema.Struct({
  name: Schema.String,
  reason: optional(Schema.String),
  time: optional(Schema.String),
  /** The NixBuild that it is about. */
  build: optional(Schema.Struct({ name: Schema.String, uid: Schema.String }))
})

export const Observed = Schema.Struct({
  time: Schema.String,
  pod: Pod,
  node: optional(Node),
  /** Of the NixBuilds that the Pod's annotations lead to, those that are there. */
  builds: Schema.Array(NixBuild),
  /** Of the NixImages that have the names of images of the registry that it waits for, all that are there. */
  images: Schema.Array(NixImage).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  settings: Schema.Struct({ imageRegistry: Schema.String, packageSet: Schema.String }).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed({ imageRegistry: "", packageSet: "" }))
  ),
  /** What the API server has against creating others. */
  refusals: Schema.Array(Refusal),
  said: Schema.Array(Said)
})
export type Observed = typeof Observed.Type

const readPod = Schema.decodeUnknownOption(Pod)

export const mapEvent = Effect.fn("pod-failure-detector.mapEvent")(function* (event: CloudEvent, object?: unknown) {
  const { kind, name, namespace } = event
  const { imageRegistry } = yield* Settings
  if (kind === "Pod" && name !== undefined) {
    const asksForNothing = Option.exists(readPod(object), (pod) => !isOpen(pod, imageRegistry))
    return asksForNothing ? [] : [{ kind, namespace: namespace ?? "", name }]
  }
  const cluster = yield* Cluster
  const everywhere = isSweep(event) || kind === nixImages.kind
  const waiting = yield* cluster.list(everywhere ? podsWaiting() : podsWaitingIn(namespace ?? ""))
  const open = waiting.filter((pod) => isOpen(pod, imageRegistry))
  if (kind !== "NixBuild" || open.length === 0) return open.map(referToPod)
  const build = yield* cluster.get(nixBuilds, { namespace, name: name ?? "" })
  // Where a NixBuild went or a quota changed there may be room for one that was refused.
  const isAbout = (pod: Pod): boolean => Option.isNone(build) || isWaitingFor(pod, build.value.spec.imageTag)
  return open.filter(isAbout).map(referToPod)
})

/** One that waits for an image, and asks for it by an annotation or by the registry's name. */
const isOpen = (pod: Pod, registry: string): boolean =>
  waitingContainers(pod).length > 0 && (asksForBuilds(pod) || pullsOf(waitingContainers(pod), registry).length > 0)

/** Nothing keeps it from going on and nothing of it has failed: its Pods were told of it when it was new. */
export const hasNoNews = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp === undefined &&
  isTrue(conditionsOf(build), "Scheduled") &&
  conditionsOf(build).every(({ status }) => status !== "False") &&
  (build.status?.nodes ?? []).every((node) => node.message === undefined && (isUnderWay(node) || isImported(node)))

const isImported = ({ reason }: NodeStatus): boolean => reason === "ImagePulled"

const referToPod = ({ metadata }: Pod): Reference => ({
  kind: "Pod",
  namespace: metadata.namespace ?? "",
  name: metadata.name
})

export const observe = Effect.fn("pod-failure-detector.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const pod = yield* cluster.get(pods, subject)
  const { imageRegistry, packageSet } = yield* Settings
  if (Option.isNone(pod) || !isOpen(pod.value, imageRegistry)) return Option.none()
  const { metadata, spec } = pod.value
  const node = yield* spec.nodeName === undefined ? Effect.succeedNone : cluster.get(nodes, { name: spec.nodeName })
  const said = yield* cluster.list(eventsRegarding(metadata))
  const { pulls, requests } = requestsOf(pod.value, Option.getOrUndefined(node), imageRegistry)
  const builds = yield* Effect.forEach(requests, ({ name }) => {
    const at = { namespace: metadata.namespace, name }
    // One that has an Event and is not there was deleted.
    const known = said.some(({ related }) => related?.name === name)
    return known ? getConfirmed(nixBuilds, at) : cluster.get(nixBuilds, at)
  })
  const images = yield* Effect.forEach(pulls, ({ name }) =>
    Effect.map(cluster.list(imagesTagged(name.tag)), (tagged) => tagged.filter((image) => isNamed(image, name)))
  )
  return Option.some({
    time: yield* currentTime,
    pod: pod.value,
    ...(Option.isSome(node) ? { node: withoutImages(node.value) } : {}),
    builds: builds.flatMap(Option.toArray),
    images: images.flat(),
    settings: { imageRegistry, packageSet },
    refusals: [],
    said: said.map(summaryOf)
  })
})

const summaryOf = ({ firstTimestamp, metadata, reason, related }: Event): typeof Said.Type => ({
  name: metadata.name,
  ...(reason === undefined ? {} : { reason }),
  ...(typeof firstTimestamp === "string" ? { time: firstTimestamp } : {}),
  ...(related?.name === undefined || related.uid === undefined
    ? {}
    : { build: { name: related.name, uid: related.uid } })
})
