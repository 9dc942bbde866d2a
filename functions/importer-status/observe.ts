/** What came of a NixBuild's Jobs on each node, and which Pods there still wait for the image. */
import { Effect, Option, Schema } from "effect"
import { isTrue } from "../../lib/api/condition.ts"
import type { Reference } from "../../lib/api/kind.ts"
import { isFailed, isSucceeded, Job, jobs, Node, nodes, Pod, pods } from "../../lib/api/kubernetes.ts"
import { conditionsOf, hasFailed, NixBuild, nixBuilds, unsettledNodes, wantedNodes } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { type CloudEvent, isSweep } from "../../lib/events.ts"
import { nixBuildUidLabel } from "../../lib/keys.ts"
import { jobName, systemNamespace } from "../../lib/names.ts"
import { subjectsAmong } from "../../lib/nixbuild-subjects.ts"
import { Settings } from "../../lib/settings.ts"
import { currentTime } from "../../lib/time.ts"
import { isWaitingFor, waitingContainers } from "../../lib/waiting.ts"

const optional = Schema.optionalKey

const Work = Schema.Struct({ job: Job, pod: optional(Pod) })
export type Work = typeof Work.Type

export const Place = Schema.Struct({
  name: Schema.String,
  node: optional(Node),
  build: optional(Work),
  import: optional(Work),
  /** Pods on this node that wait for the image. */
  waiting: Schema.Array(Pod)
})
export type Place = typeof Place.Type

export const Observed = Schema.Struct({
  time: Schema.String,
  build: NixBuild,
  nodeRepel: Schema.Array(Schema.String),
  places: Schema.Array(Place)
})

export const subjects = Effect.fn("importer-status.subjects")(function* (event: CloudEvent) {
  if (!isSweep(event)) return yield* subjectsAmong(isOpen)(event)
  const cluster = yield* Cluster
  const withJobs = new Set((yield* cluster.list(jobs)).map((job) => job.metadata.labels?.[nixBuildUidLabel]))
  const waiting = (yield* cluster.list(pods)).filter((pod) => waitingContainers(pod).length > 0)
  return yield* subjectsAmong(
    (build) =>
      isOpen(build) ||
      (!hasFailed(build) &&
        (withJobs.has(build.metadata.uid) || waiting.some((pod) => isWaitingFor(pod, build.spec.imageTag))))
  )(event)
})

/** Until every node has it, and the conditions speak of the newest generation. */
const isOpen = (build: NixBuild): boolean =>
  conditionsOf(build).some((condition) => condition.observedGeneration !== build.metadata.generation) ||
  !isTrue(conditionsOf(build), "Complete") ||
  (!hasFailed(build) && unsettledNodes(build).length > 0)

export const observe = Effect.fn("importer-status.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const { nodeRepel } = yield* Settings
  const build = yield* cluster.get(nixBuilds, subject)
  if (Option.isNone(build) || build.value.metadata.deletionTimestamp !== undefined) return Option.none()
  if (!isTrue(conditionsOf(build.value), "Scheduled")) return Option.none()
  return Option.some({
    time: yield* currentTime,
    build: build.value,
    nodeRepel,
    places: yield* Effect.forEach(wantedNodes(build.value), (name) => observePlace(build.value, name))
  })
})

const observePlace = Effect.fnUntraced(function* (build: NixBuild, name: string) {
  const cluster = yield* Cluster
  const attempt = { build: build.metadata, node: name, attempt: build.status?.attempt ?? 1 }
  const node = yield* cluster.get(nodes, { name })
  const isOpen = unsettledNodes(build).includes(name)
  const { namespace } = build.metadata
  const buildWork = yield* observeWork({ namespace, name: jobName("build", attempt), isOpen })
  const importWork = yield* observeWork({ namespace: systemNamespace, name: jobName("import", attempt), isOpen })
  const there = yield* cluster.list(pods, { nodeName: name })
  return {
    name,
    ...(Option.isSome(node) ? { node: node.value } : {}),
    ...(Option.isSome(buildWork) ? { build: buildWork.value } : {}),
    ...(Option.isSome(importWork) ? { import: importWork.value } : {}),
    waiting: there.filter((pod) => isWaitingFor(pod, build.spec.imageTag))
  }
})

const observeWork = Effect.fnUntraced(function* (at: {
  readonly namespace: string | undefined
  readonly name: string
  /** Whether the outcome is yet to be told. */
  readonly isOpen: boolean
}) {
  const cluster = yield* Cluster
  const job = yield* cluster.get(jobs, at)
  if (Option.isNone(job)) return Option.none()
  // By uid: a Job that was deleted and made again under the same name must not be told of by its forerunner's Pod.
  const selection = {
    namespace: at.namespace,
    labels: { "batch.kubernetes.io/controller-uid": job.value.metadata.uid }
  }
  const [seen] = yield* cluster.list(pods, selection)
  // Job and Pod come by different watches, and a Pod that is gone makes the Job a failed one.
  const isNews = at.isOpen && (isSucceeded(job.value) || isFailed(job.value))
  const [pod] = seen === undefined && isNews ? yield* cluster.listFresh(pods, selection) : [seen]
  return Option.some({ job: job.value, ...(pod === undefined ? {} : { pod }) })
})
