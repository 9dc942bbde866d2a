/** What there is on each node that wants the image: volume, build Job, and whether the build Pod would be admitted. */
import { Effect, Equal, Option, Schema, Struct } from "effect"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { type Job, type Namespace, namespaces } from "../../lib/kubernetes/kinds.ts"
import { claimsIn, jobsOf } from "../../lib/nixbuild/object-questions.ts"
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
import { buildsIn } from "../../lib/nixbuild/questions.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { namespaceAnnotation } from "../../lib/api/annotations.ts"
import { isBegun } from "../../lib/nixbuild/launch.ts"
import { hasSlot, isObstructed, needsSlot } from "../../lib/nixbuild/slots.ts"
import { isSourcePending } from "../../lib/nixbuild/source.ts"
import { mapToOpenBuilds } from "../../lib/nixbuild/map-event.ts"
import { jobName } from "../../lib/api/names.ts"
import { Settings } from "../../lib/api/settings.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { writeFilter } from "../../lib/nixbuild/uid-filter.ts"
import { askAdmission } from "./observe-admission.ts"
import type { BuildPlace } from "./build-job.ts"
import { Egress } from "./egress.ts"
import { observeEgress } from "./observe-egress.ts"
import { type Claims, type Jobs, observePlace, Place } from "./observe-place.ts"
import { LauncherSettings, settings as keys } from "./settings.ts"

const optional = Schema.optionalKey

export const Observed = Schema.Struct({
  time: Schema.String,
  build: NixBuild,
  namespaceUid: Schema.String,
  settings: LauncherSettings,
  /** All NixBuilds of the namespace, for the build Job; empty where none can be made. */
  liveFilter: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))),
  /** The nodes that want the image, and where it may be built or was begun to be; the build node first. */
  places: Schema.Array(Place),
  /** What builds may reach: asked only when everything else is ready for a build Job. */
  egress: optional(Egress),
  /** What the API server has against objects that were to be written. */
  refusals: Refusals
})

/** A NixBuild that was given a node, or had one, and that some node still wants. */
export const isOpen = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp === undefined &&
  (isTrue(conditionsOf(build), "Scheduled") ||
    isTrue(conditionsOf(build), "Launched") ||
    (build.status?.nodes ?? []).some(isObstructed)) &&
  !hasFailed(build) &&
  unsettledNodes(build).length > 0

/** Whether a build may follow from the end of a Job: that of a volume. */
export const isOfVolume = ({ metadata: { annotations } }: Job): boolean =>
  annotations?.[namespaceAnnotation] !== undefined

export const mapEvent = mapToOpenBuilds(isOpen)

export const observe = Effect.fn("job-launcher.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const seen = yield* cluster.get(nixBuilds, subject)
  const found = yield* observeBuild(seen)
  if (!Option.exists(found, ({ ready }) => ready.length > 0)) return Option.map(found, ({ observed }) => observed)
  // That a Job is not there says nothing beside a NixBuild from before it ended and went. A Pod waits, so both at once.
  const [asked, fresh] = yield* Effect.all([askAdmissions(found), cluster.getFresh(nixBuilds, subject)], {
    concurrency: "unbounded"
  })
  const version = Option.map(({ metadata }: NixBuild) => metadata.resourceVersion)
  return Equal.equals(version(fresh), version(seen)) ? asked : yield* askAdmissions(yield* observeBuild(fresh))
})

interface Found {
  /** All of the namespace. */
  readonly claims: Claims
  readonly namespace: Namespace
  readonly observed: typeof Observed.Type
  /** Where all is there but the build Job. */
  readonly ready: ReadonlyArray<BuildPlace>
}

const askAdmissions = Effect.fnUntraced(function* (found: Option.Option<Found>) {
  if (Option.isNone(found)) return Option.none<typeof Observed.Type>()
  const { claims, namespace, observed, ready } = found.value
  if (ready.length === 0) return Option.some(observed)
  const asked = Effect.forEach(ready, (place) =>
    Effect.map(askAdmission(place), (admission) => [place.node, admission] as const)
  )
  const [egress, answers] = yield* Effect.all([Effect.flatMap(claims, (all) => observeEgress(namespace, all)), asked], {
    concurrency: "unbounded"
  })
  const admissions = new Map(answers)
  const places = observed.places.map((place) => {
    const admission = admissions.get(place.node.metadata.name)
    return admission === undefined ? place : { ...place, admission }
  })
  return Option.some({ ...observed, places, egress })
})

const observeBuild = Effect.fnUntraced(function* (build: Option.Option<NixBuild>) {
  const cluster = yield* Cluster
  const settings = Struct.pick(yield* Settings, keys)
  if (Option.isNone(build) || !isOpen(build.value)) return Option.none()
  const itsJobs = yield* cluster.list(jobsOf(build.value.metadata))
  const jobAt = new Map(itsJobs.map((job) => [job.metadata.name, job]))
  if (isBegun(build.value) && isThere(build.value, jobAt)) return Option.none()
  const namespace = yield* cluster.get(namespaces, { name: build.value.metadata.namespace ?? "" })
  if (Option.isNone(namespace)) return Option.none()
  const namespaceUid = namespace.value.metadata.uid
  const time = yield* currentTime
  const due = unsettledNodes(build.value).filter(
    (name) =>
      !isWaitingForRetry(nodeStatusOf(build.value, name), time) &&
      (hasSlot(build.value, name) ||
        !needsSlot(build.value, name) ||
        // There no Job is made, but the volume is, and it is seen when an obstacle is gone.
        isSourcePending(build.value, name) ||
        isObstructed(nodeStatusOf(build.value, name)))
  )
  const claims = yield* Effect.cached(cluster.list(claimsIn(namespace.value.metadata.name)))
  const places = yield* Effect.forEach(due, (name) =>
    observePlace({ build: build.value, namespaceUid, node: name, time }, { claims, jobAt })
  )
  const there = places.flatMap((place) => (place === undefined ? [] : [place]))
  const ready = there.flatMap(({ isReady, place }) => (isReady ? [place.node.metadata.name] : []))
  const liveFilter = ready.length === 0 ? "" : yield* filterLive(build.value)
  const observed: typeof Observed.Type = {
    time,
    build: build.value,
    namespaceUid,
    liveFilter,
    settings,
    places: there.map(({ place }) => place),
    refusals: []
  }
  return Option.some<Found>({
    claims,
    namespace: namespace.value,
    observed,
    ready: ready.map((node) => ({ build: build.value, node, settings, liveFilter, liveTime: time }))
  })
})

/** Its Job is there, or the one that imports what that gave. */
const isThere = (build: NixBuild, jobAt: Jobs): boolean =>
  unsettledNodes(build).every((node) => {
    const attempt = { build: build.metadata, node, attempt: attemptOn(build, node) }
    return jobAt.has(jobName("build", attempt)) || jobAt.has(jobName("import", attempt))
  })

const filterLive = Effect.fnUntraced(function* ({ metadata }: NixBuild) {
  const cluster = yield* Cluster
  const live = yield* cluster.list(buildsIn(metadata.namespace ?? ""))
  return writeFilter({ of: metadata.uid, uids: live.map((build) => build.metadata.uid) })
})
