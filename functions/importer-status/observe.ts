/** What came of a NixBuild's Jobs on each node, and which Pods there still wait for the image. */
import { Effect, Option, Predicate, Schema } from "effect"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { Lease, leases, Node, nodes, Pod, pods, withoutImages } from "../../lib/kubernetes/kinds.ts"
import {
  attemptOn,
  hasFailed,
  isOpen as isOpenBuild,
  NixBuild,
  nixBuilds,
  nodeStatusOf,
  unsettledNodes,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { jobsOf, podsOfJobsOf, podsWaitingOn } from "../../lib/nixbuild/object-questions.ts"
import { observeAwaited } from "../../lib/nixbuild/observe-awaited.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster, getConfirmed } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { controllerUidLabel } from "../../lib/api/annotations.ts"
import { jobName, tagLeaseName } from "../../lib/api/names.ts"
import { isForRegistry } from "../../lib/nixbuild/delivery.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { mapToOpenBuilds, referToBuild } from "../../lib/nixbuild/map-event.ts"
import { Settings } from "../../lib/api/settings.ts"
import { tagOf } from "../../lib/nixbuild/tag-claim.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { isWaitingFor } from "../../lib/nixbuild/waiting-pods.ts"
import { observeStart } from "../../lib/nixbuild/observe-work.ts"
import { endedWell, isFinished, terminatedOf, Work } from "../../lib/nixbuild/work.ts"
import { isMissed } from "./missed.ts"
import { newsOf } from "./observe-news.ts"

const optional = Schema.optionalKey

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
  retryDelaysSeconds: Schema.Array(Schema.Int),
  places: Schema.Array(Place),
  /** The claim on the tag: asked only when an import has succeeded that is not told of yet. */
  lease: optional(Lease),
  /** What the API server has against objects that were to be written. */
  refusals: Refusals
})

export const mapEvent = Effect.fn("importer-status.mapEvent")(function* (event: CloudEvent, object?: unknown) {
  const cluster = yield* Cluster
  if (!isSweep(event)) {
    const asked = yield* mapToOpenBuilds(isOpenBuild)(event, object)
    const isNews = newsOf(event, object)
    if (isNews === undefined) return asked
    return yield* Effect.filter(asked, (at) => Effect.map(cluster.get(nixBuilds, at), Option.exists(isNews)))
  }
  const awaited = yield* observeAwaited
  const needsLook = (build: NixBuild): boolean => isOpenBuild(build) || (!hasFailed(build) && awaited.has(tagOf(build)))
  return (yield* cluster.list(all(nixBuilds))).filter(needsLook).map(referToBuild)
})

export const observe = Effect.fn("importer-status.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const { nodeRepel, retryDelaysSeconds } = yield* Settings
  const build = yield* cluster.get(nixBuilds, subject)
  if (Option.isNone(build) || build.value.metadata.deletionTimestamp !== undefined) return Option.none()
  // One that is back in the queue may have other nodes.
  if (build.value.status?.buildNode === undefined) return Option.none()
  const time = yield* currentTime
  const works = yield* observeWorks(build.value, time)
  const places = yield* Effect.forEach(wantedNodes(build.value), (name) =>
    observePlace({ build: build.value, name, time }, works)
  )
  const isNews = places.some(
    ({ import: work, name }) => work !== undefined && endedWell(work) && unsettledNodes(build.value).includes(name)
  )
  const lease = isNews ? yield* observeLease(build.value) : Option.none()
  return Option.some({
    time,
    build: build.value,
    nodeRepel,
    retryDelaysSeconds,
    places,
    ...(Option.isSome(lease) ? { lease: lease.value } : {}),
    refusals: []
  })
})

// Whoever writes to it names the version, so an old copy does no harm; none would be taken for a claim that is gone.
const observeLease = (build: NixBuild) =>
  getConfirmed(leases, { namespace: systemNamespace, name: tagLeaseName(tagOf(build)) })

interface At {
  readonly build: NixBuild
  readonly name: string
  readonly time: string
}

/** The Jobs of a NixBuild with their Pods, two lists for all its nodes. */
const observeWorks = Effect.fnUntraced(function* ({ metadata }: NixBuild, time: string) {
  const cluster = yield* Cluster
  const there = yield* cluster.list(jobsOf(metadata))
  const itsPods = there.length === 0 ? [] : yield* cluster.list(podsOfJobsOf(metadata))
  const podOf = new Map(itsPods.map((pod) => [pod.metadata.labels?.[controllerUidLabel], pod]))
  const jobAt = new Map(there.map((job) => [`${job.metadata.namespace}/${job.metadata.name}`, job]))
  return Effect.fnUntraced(function* ({ isOpen, name, namespace = "" }: Named) {
    const job = jobAt.get(`${namespace}/${name}`)
    return job === undefined ? undefined : yield* observeStart({ job, pod: podOf.get(job.metadata.uid), isOpen, time })
  })
})

interface Named {
  readonly namespace: string | undefined
  readonly name: string
  readonly isOpen: boolean
}

type Works = Effect.Success<ReturnType<typeof observeWorks>>

const observePlace = Effect.fnUntraced(function* ({ build, name, time }: At, workAt: Works) {
  const attempt = { build: build.metadata, node: name, attempt: attemptOn(build, name) }
  const isOpen = unsettledNodes(build).includes(name)
  const { namespace } = build.metadata
  const buildWork = yield* workAt({ namespace, name: jobName("build", attempt), isOpen })
  const importWork = yield* workAt({ namespace: systemNamespace, name: jobName("import", attempt), isOpen })
  const works = [buildWork, importWork].filter(Predicate.isNotUndefined)
  const node = isNodeOfInterest({ isOpen, buildWork, importWork }) ? yield* observeNode(name, works) : Option.none()
  const isThere = nodeStatusOf(build, name)?.importedTime !== undefined
  return {
    name,
    ...(Option.isSome(node) ? { node: withoutImages(node.value) } : {}),
    ...(buildWork === undefined ? {} : { build: buildWork }),
    ...(importWork === undefined ? {} : { import: importWork }),
    // Until the image is there, nobody was woken; and what the registry has is on no node.
    waiting:
      !isForRegistry(build) && (isThere || (importWork !== undefined && endedWell(importWork)))
        ? yield* observeWaiting({ build, name, time })
        : []
  }
})

interface Facts {
  readonly isOpen: boolean
  readonly buildWork: Work | undefined
  readonly importWork: Work | undefined
}

/** The node matters to work that goes on there, and where none was begun. */
const isNodeOfInterest = ({ buildWork, importWork, isOpen }: Facts): boolean => {
  if (terminatedOf(importWork?.pod) !== undefined) return false
  if (buildWork === undefined && isOpen) return true
  return [buildWork, importWork].some((work) => work !== undefined && !isFinished(work))
}

// Whose node is gone is given up, so one that only the cache misses has to be told from it.
const observeNode = (name: string, works: ReadonlyArray<Work>) =>
  works.length > 0 ? getConfirmed(nodes, { name }) : Effect.flatMap(Cluster, (cluster) => cluster.get(nodes, { name }))

const observeWaiting = Effect.fnUntraced(function* ({ build, name, time }: At) {
  const cluster = yield* Cluster
  const isWaiting = (pod: Pod): boolean => isWaitingFor(pod, build.spec.imageTag)
  const waiting = (yield* cluster.list(podsWaitingOn(name))).filter(isWaiting)
  const known = nodeStatusOf(build, name)
  if (known === undefined || !isMissed(known, { build, waiting, time })) return waiting
  // A Pod that started long ago, and the cache does not know it yet, would have the image brought once more.
  const fresh = yield* Effect.forEach(waiting, ({ metadata }) => cluster.getFresh(pods, metadata))
  return fresh.flatMap(Option.toArray).filter(isWaiting)
})
