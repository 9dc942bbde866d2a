/** A NixImage that is built, the Pods that wait for it, and the Jobs that bring it to their nodes. */
import { Effect, Option, Schema } from "effect"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { Job, Node, nodes, type Pod, withoutImages } from "../../lib/kubernetes/kinds.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { NixImage, nixImages } from "../../lib/api/niximage.ts"
import { Settings } from "../../lib/api/settings.ts"
import { podsWaiting } from "../../lib/nixbuild/object-questions.ts"
import { awaitedImages } from "../../lib/nixbuild/waiting-pods.ts"
import { isServedAs, pullNameOf } from "../../lib/niximage/pull-name.ts"
import { pullsOf } from "../../lib/niximage/pull-job.ts"
import { imagesTagged, referToImage } from "../../lib/niximage/questions.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusals } from "../../lib/runtime/function.ts"

export const Observed = Schema.Struct({
  image: NixImage,
  /** The nodes where Pods wait for it, with the names by which they do, in full. */
  places: Schema.Array(Schema.Struct({ node: Node, references: Schema.Array(Schema.String) })),
  /** Those that bring it to nodes, or have brought it. */
  jobs: Schema.Array(Job),
  settings: Schema.Struct({ builderImage: Schema.String, registryUrl: Schema.String }),
  /** What the API server has against Jobs that were to be created. */
  refusals: Refusals
})
export type Observed = typeof Observed.Type

/** Whether the registry has the image for any system. */
export const isServed = ({ status }: NixImage): boolean =>
  status?.systems?.some(({ digest }) => digest !== undefined) === true

export const mapEvent = Effect.fn("image-delivery.mapEvent")(function* (event: CloudEvent) {
  const { name = "", namespace = "" } = event
  if (!isSweep(event)) return [{ kind: nixImages.kind, namespace, name }]
  const cluster = yield* Cluster
  const { imageRegistry } = yield* Settings
  const names = (yield* cluster.list(podsWaiting()))
    .flatMap(awaitedImages)
    .flatMap((reference) => pullNameOf(reference, imageRegistry) ?? [])
  const tags = [...new Set(names.map(({ tag }) => tag))]
  const images = (yield* Effect.forEach(tags, (tag) => cluster.list(imagesTagged(tag)))).flat()
  return images.filter((image) => isServed(image) && names.some((one) => isServedAs(image, one))).map(referToImage)
})

export const observe = Effect.fn("image-delivery.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const { builderImage, imageRegistry, registryUrl } = yield* Settings
  const image = yield* cluster.get(nixImages, subject)
  if (Option.isNone(image) || !isServed(image.value)) return Option.none()
  const referencesOf = (pod: Pod) =>
    awaitedImages(pod).filter((reference) => {
      const name = pullNameOf(reference, imageRegistry)
      return name !== undefined && isServedAs(image.value, name)
    })
  const waiting = (yield* cluster.list(podsWaiting())).flatMap((pod) =>
    pod.spec.nodeName === undefined
      ? []
      : referencesOf(pod).map((reference) => ({ node: pod.spec.nodeName, reference }))
  )
  if (waiting.length === 0) return Option.none()
  const found = yield* Effect.forEach(
    Map.groupBy(waiting, ({ node }) => node),
    ([node = "", awaited]) =>
      Effect.map(
        cluster.get(nodes, { name: node }),
        Option.map((there) => ({
          node: withoutImages(there),
          references: [...new Set(awaited.map(({ reference }) => reference))].toSorted()
        }))
      )
  )
  return Option.some({
    image: image.value,
    places: found.flatMap(Option.toArray),
    jobs: yield* cluster.list(pullsOf(image.value)),
    settings: { builderImage, registryUrl },
    refusals: []
  })
})
