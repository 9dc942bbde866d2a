/** Which Pods still wait for a NixBuild's image on the nodes that have it. */
import { Effect, Option, Schema } from "effect"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { isSucceeded, type Job, jobs, Pod } from "../../lib/kubernetes/kinds.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { NixBuild, nixBuilds, nodeStatusOf, wantedNodes } from "../../lib/api/nixbuild.ts"
import { isForRegistry } from "../../lib/nixbuild/delivery.ts"
import { jobsIn, podsWaitingOn } from "../../lib/nixbuild/object-questions.ts"
import { observeAwaited } from "../../lib/nixbuild/observe-awaited.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { referToBuild } from "../../lib/nixbuild/map-event.ts"
import { tagOf } from "../../lib/nixbuild/tag-claim.ts"
import { pulledBy } from "../../lib/niximage/pull-job.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { isWaitingFor } from "../../lib/nixbuild/waiting-pods.ts"

const optional = Schema.optionalKey

export const Observed = Schema.Struct({
  time: Schema.String,
  build: optional(NixBuild),
  /** Of an image of the registry: the Job that brought it, since one NixImage may come under several names, and the name under which it came. */
  pulled: optional(Schema.Struct({ namespace: Schema.String, name: Schema.String, imageTag: Schema.String })),
  /** Those that want the image and have it, and where Pods wait for it. */
  nodes: Schema.Array(Schema.Struct({ name: Schema.String, importedTime: Schema.String, waiting: Schema.Array(Pod) })),
  /** What the API server has against Pods that were to be woken. */
  refusals: Refusals
})

export type Observed = typeof Observed.Type

export const mapEvent = Effect.fn("pod-waker.mapEvent")(function* (event: CloudEvent) {
  const { name = "", namespace = "" } = event
  if (!isSweep(event)) return [{ kind: event.kind ?? nixBuilds.kind, namespace, name }]
  const awaited = yield* observeAwaited
  if (awaited.size === 0) return []
  const cluster = yield* Cluster
  const builds = yield* cluster.list(all(nixBuilds))
  const pulls = yield* cluster.list(jobsIn(systemNamespace))
  return [
    ...builds.filter((build) => awaited.has(tagOf(build)) && isSomewhere(build)).map(referToBuild),
    ...pulls
      .filter((job) => hasPulled(job) && awaited.has(pulledBy(job)?.reference ?? ""))
      .map(({ metadata }): Reference => ({ kind: jobs.kind, namespace: systemNamespace, name: metadata.name }))
  ]
})

/** Whether it has brought an image of the registry to a node. */
export const hasPulled = (job: Job): boolean => pulledBy(job) !== undefined && isSucceeded(job)

/** Until a node has the image, nobody can be woken. */
export const isSomewhere = (build: NixBuild): boolean => nodesWithImage(build).length > 0

const nodesWithImage = (build: NixBuild) =>
  (isForRegistry(build) ? [] : wantedNodes(build)).flatMap((name) => {
    const importedTime = nodeStatusOf(build, name)?.importedTime
    return importedTime === undefined ? [] : [{ name, importedTime }]
  })

export const observe = Effect.fn("pod-waker.observe")(function* (subject: Reference) {
  return yield* subject.kind === jobs.kind ? observePull(subject) : observeBuild(subject)
})

const observePull = Effect.fnUntraced(function* (subject: Reference) {
  const cluster = yield* Cluster
  const job = Option.filter(yield* cluster.get(jobs, subject), hasPulled)
  const pulled = Option.flatMap(job, (one) => Option.fromNullishOr(pulledBy(one)))
  if (Option.isNone(job) || Option.isNone(pulled)) return Option.none<Observed>()
  const { node: name, reference: imageTag } = pulled.value
  const waiting = (yield* cluster.list(podsWaitingOn(name))).filter((pod) => isWaitingFor(pod, imageTag))
  const importedTime = job.value.status?.completionTime ?? ""
  return waiting.length === 0
    ? Option.none<Observed>()
    : Option.some<Observed>({
        time: yield* currentTime,
        pulled: { namespace: systemNamespace, name: job.value.metadata.name, imageTag },
        nodes: [{ name, importedTime, waiting }],
        refusals: []
      })
})

const observeBuild = Effect.fnUntraced(function* (subject: Reference) {
  const cluster = yield* Cluster
  const build = yield* cluster.get(nixBuilds, subject)
  if (Option.isNone(build) || build.value.metadata.deletionTimestamp !== undefined) return Option.none<Observed>()
  const { imageTag } = build.value.spec
  const there = yield* Effect.forEach(nodesWithImage(build.value), (node) =>
    Effect.map(cluster.list(podsWaitingOn(node.name)), (pods) => ({
      ...node,
      waiting: pods.filter((pod) => isWaitingFor(pod, imageTag))
    }))
  )
  const nodes = there.filter(({ waiting }) => waiting.length > 0)
  return nodes.length === 0
    ? Option.none<Observed>()
    : Option.some<Observed>({ time: yield* currentTime, build: build.value, nodes, refusals: [] })
})
