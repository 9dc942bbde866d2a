/** What was built for a NixBuild and is not in containerd yet, and who may use its tag. */
import { Effect, Option, Schema } from "effect"
import { conditionOf, isTrue } from "../../lib/kubernetes/condition.ts"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { isSucceeded, Job, namespaces, Node, nodes, Pod, withoutImages } from "../../lib/kubernetes/kinds.ts"
import {
  attemptOn,
  conditionsOf,
  hasFailed,
  isWaitingForRetry,
  NixBuild,
  nixBuilds,
  nodeStatusOf,
  unsettledNodes
} from "../../lib/api/nixbuild.ts"
import { jobsOf, podsOf } from "../../lib/nixbuild/object-questions.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { nixBuildAnnotation, tagLabel } from "../../lib/api/annotations.ts"
import { isBegun } from "../../lib/nixbuild/launch.ts"
import { mapToOpenBuilds } from "../../lib/nixbuild/map-event.ts"
import { jobName } from "../../lib/api/names.ts"
import { Settings, SettingsSchema } from "../../lib/api/settings.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { endedWell } from "../../lib/nixbuild/work.ts"
import { observeClaim } from "./observe-claim.ts"
import { Claim } from "./tag.ts"

const optional = Schema.optionalKey

/** The image on its way to one node. */
export const Delivery = Schema.Struct({
  /** The node's name. */
  name: Schema.String,
  /** Where the image comes from: a build on that node. */
  source: Schema.Struct({
    buildOn: Schema.String,
    job: Job,
    /** Asked only while the Job has not succeeded. */
    pod: optional(Pod)
  }),
  importJob: optional(Job),
  /** Asked only when the image is there to be imported; absent: the node is gone. */
  node: optional(Node)
})
export type Delivery = typeof Delivery.Type

export const Observed = Schema.Struct({
  time: Schema.String,
  build: NixBuild,
  namespaceUid: Schema.String,
  builderImage: Schema.String,
  registryPublishUrl: SettingsSchema.fields.registryPublishUrl,
  /** The nodes that want the image, and where it is being built or was. */
  deliveries: Schema.Array(Delivery),
  /** Who may use the tag: asked only when a build has succeeded and its image is to be imported. */
  claim: optional(Claim),
  /** What the API server has against objects that were to be written. */
  refusals: Refusals
})

/** A NixBuild for which a build was launched, and that some node still wants. */
export const isOpen = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp === undefined &&
  conditionOf(conditionsOf(build), "Launched") !== undefined &&
  !hasFailed(build) &&
  unsettledNodes(build).length > 0

/** Its one build Job is there and has not succeeded yet: nothing follows from it. */
export const isUnderWay = (build: NixBuild): boolean => isBegun(build) && !isTrue(conditionsOf(build), "Success")

/** Whether a delivery may follow from the end of a Job: that of a build. */
export const isOfBuild = ({ metadata: { annotations, labels } }: Job): boolean =>
  labels?.[tagLabel] === undefined && annotations?.[nixBuildAnnotation] !== undefined

/** The image is there, and nothing imports it yet. Containers of others may outlive the build, or make a failed Job of it. */
export const isDue = ({ importJob, source }: Delivery): boolean => importJob === undefined && endedWell(source)

export const mapEvent = mapToOpenBuilds(isOpen)

export const observe = Effect.fn("importer.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const { builderImage, registryPublishUrl } = yield* Settings
  const found = yield* cluster.get(nixBuilds, subject)
  if (Option.isNone(found) || !isOpen(found.value)) return Option.none()
  const build = found.value
  const time = yield* currentTime
  const deliveries = yield* observeDeliveries(build, time)
  if (!deliveries.some(isDue)) return Option.none()
  const namespace = yield* cluster.get(namespaces, { name: build.metadata.namespace ?? "" })
  if (Option.isNone(namespace)) return Option.none()
  return Option.some({
    time,
    build,
    namespaceUid: namespace.value.metadata.uid,
    builderImage,
    registryPublishUrl,
    deliveries: yield* Effect.forEach(deliveries, observeNode),
    claim: yield* observeClaim(build),
    refusals: []
  })
})

const observeDeliveries = Effect.fnUntraced(function* (build: NixBuild, time: string) {
  const cluster = yield* Cluster
  const jobAt = new Map((yield* cluster.list(jobsOf(build.metadata))).map((job) => [job.metadata.name, job]))
  const wanted = unsettledNodes(build).filter((name) => !isWaitingForRetry(nodeStatusOf(build, name), time))
  const deliveries = yield* Effect.forEach(wanted, (name) => {
    const attempt = { build: build.metadata, node: name, attempt: attemptOn(build, name) }
    return observeDelivery({
      name,
      job: jobAt.get(jobName("build", attempt)),
      importJob: jobAt.get(jobName("import", attempt))
    })
  })
  return deliveries.flat()
})

interface Found {
  readonly name: string
  readonly job: Job | undefined
  readonly importJob: Job | undefined
}

const observeDelivery = Effect.fnUntraced(function* ({ importJob, job, name }: Found) {
  if (job === undefined) return []
  const cluster = yield* Cluster
  // What is imported already needs no more of its build.
  const [pod] = importJob !== undefined || isSucceeded(job) ? [] : yield* cluster.list(podsOf(job))
  const delivery: Delivery = {
    name,
    source: { buildOn: name, job, ...(pod === undefined ? {} : { pod }) },
    ...(importJob === undefined ? {} : { importJob })
  }
  return [delivery]
})

const observeNode = Effect.fnUntraced(function* (delivery: Delivery) {
  const cluster = yield* Cluster
  const node = isDue(delivery) ? yield* cluster.get(nodes, { name: delivery.name }) : Option.none()
  return Option.isNone(node) ? delivery : { ...delivery, node: withoutImages(node.value) }
})
