/** A NixImage with its NixBuilds, and with those that want the same name in the registry. */
import { Effect, Equal, Option, Schema } from "effect"
import { namespaceOf, ObjectMeta, type Reference } from "../../lib/kubernetes/kind.ts"
import { nodes } from "../../lib/kubernetes/kinds.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { NixBuild, nixBuilds, System } from "../../lib/api/nixbuild.ts"
import { NixImage, nixImages, wantedNameOf } from "../../lib/api/niximage.ts"
import { systemOfNode } from "../../lib/api/system.ts"
import { imagesIn, imagesNamed, referToImage } from "../../lib/niximage/questions.ts"
import type { CloudEvent } from "../../lib/runtime/events.ts"
import { isDeletion, isSweep } from "../../lib/runtime/events.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { hasOutlived } from "./former.ts"
import { buildNameOf } from "./request.ts"
import { ImageSettings, imageSettings } from "./settings.ts"

export const Observed = Schema.Struct({
  time: Schema.String,
  image: NixImage,
  /** Other NixImages that want the same name and tag. */
  rivals: Schema.Array(Schema.Struct({ metadata: ObjectMeta, holds: Schema.optionalKey(Schema.String) })),
  /** The systems to build for. */
  systems: Schema.Array(System),
  /** The NixBuilds for them that are there. */
  builds: Schema.Array(NixBuild),
  settings: ImageSettings,
  /** What the API server has against objects that were to be written. */
  refusals: Refusals
})
export type Observed = typeof Observed.Type

/** Those for which something may be left to do: of the others the status says what they ask for, and nobody else's does. */
const unsettled = Effect.gen(function* () {
  const cluster = yield* Cluster
  const settings = yield* imageSettings
  const now = { time: yield* currentTime, keepSeconds: settings.keepReplacedSeconds }
  const images = yield* cluster.list(all(nixImages))
  const present = images.every(({ data }) => data.systems !== undefined) ? [] : yield* systemsOfNodes
  const holders = Map.groupBy(images, ({ status }) => status?.holds)
  return images.filter((image) => {
    const { holds, observedGeneration, status, systems = [] } = image.status ?? {}
    const builds = (image.data.systems ?? present).map((system) => buildNameOf(image, system, settings))
    return !(
      status === "Built" &&
      !hasOutlived(image, now) &&
      observedGeneration === image.metadata.generation &&
      holds === wantedNameOf(image) &&
      // Two that looked at the same moment may both have taken it.
      holders.get(holds)?.length === 1 &&
      Equal.equals(builds.toSorted(), systems.map(({ build }) => build).toSorted())
    )
  })
})

const readImage = Schema.decodeUnknownOption(NixImage)

export const mapEvent = Effect.fn("niximage.mapEvent")(function* (event: CloudEvent, object?: unknown) {
  const { kind, name = "", namespace = "" } = event
  const cluster = yield* Cluster
  if (isSweep(event)) return (yield* unsettled).map(referToImage)
  if (kind === nixBuilds.kind) {
    const images = yield* cluster.list(imagesIn(namespace))
    return images
      .filter(({ status }) => status?.systems?.some(({ build }) => build === name) === true)
      .map(referToImage)
  }
  // Its name is free for the next.
  const gone = isDeletion(event) ? readImage(object) : Option.none()
  if (Option.isSome(gone)) return (yield* cluster.list(imagesNamed(gone.value))).map(referToImage)
  return [{ kind: nixImages.kind, namespace, name }]
})

export const observe = Effect.fn("niximage.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const found = yield* cluster.get(nixImages, subject)
  if (Option.isNone(found)) return Option.none()
  const image = found.value
  const settings = yield* imageSettings
  const systems = image.data.systems ?? (yield* systemsOfNodes)
  const namespace = namespaceOf(image)
  const builds = yield* Effect.forEach(systems, (system) =>
    cluster.get(nixBuilds, { namespace, name: buildNameOf(image, system, settings) })
  )
  const named = yield* cluster.list(imagesNamed(image))
  return Option.some({
    time: yield* currentTime,
    image,
    rivals: named
      .filter(({ metadata }) => metadata.uid !== image.metadata.uid && metadata.deletionTimestamp === undefined)
      .map(({ metadata, status }) => ({
        metadata,
        ...(status?.holds === undefined ? {} : { holds: status.holds })
      })),
    systems,
    builds: builds.flatMap(Option.toArray),
    settings,
    refusals: []
  })
})

const systemsOfNodes = Effect.gen(function* () {
  const cluster = yield* Cluster
  const found = (yield* cluster.list(all(nodes))).flatMap((node) => systemOfNode(node) ?? [])
  return [...new Set(found)].toSorted()
})
