/** What there is on each node that wants the image: volume, Jobs, and whether the build Pod would be admitted. */
import { Effect, Equal, Option, Schema, Struct } from "effect"
import { isTrue } from "../../lib/api/condition.ts"
import type { Reference } from "../../lib/api/kind.ts"
import {
  isSucceeded,
  Job,
  type Namespace,
  namespaces,
  Node,
  nodes,
  PersistentVolume,
  PersistentVolumeClaim,
  persistentVolumes,
  Pod,
  pods,
  withoutImages
} from "../../lib/api/kubernetes.ts"
import {
  attemptOn,
  conditionsOf,
  hasFailed,
  isWaitingForRetry,
  NixBuild,
  nixBuilds,
  nodeStatusOf,
  unsettledNodes,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { claimsIn, jobsOf, podsOf } from "../../lib/api/kubernetes-questions.ts"
import { buildsIn } from "../../lib/api/nixbuild-questions.ts"
import { Cluster } from "../../lib/cluster.ts"
import { Refusal } from "../../lib/function.ts"
import { namespaceAnnotation, nixBuildAnnotation, tagLabel } from "../../lib/keys.ts"
import type { KubernetesError } from "../../lib/kube/error.ts"
import { forgetRefusal, isLastingRefusal } from "../../lib/refusals.ts"
import { hasSlot, isObstructed, needsSlot } from "../../lib/slots.ts"
import { endedWell, isFinished, Work } from "../../lib/work.ts"
import { observeWork } from "../../lib/observe-work.ts"
import { isSourcePending } from "../../lib/source.ts"
import { subjectsAmong } from "../../lib/nixbuild-subjects.ts"
import { claimName, jobName, persistentVolumeName, systemNamespace, volumeJobName } from "../../lib/names.ts"
import { Settings, SettingsSchema } from "../../lib/settings.ts"
import { currentTime } from "../../lib/time.ts"
import { writeFilter } from "../../lib/uid-filter.ts"
import { type BuildPlace, makeBuildPod } from "./build-job.ts"
import { Egress } from "./egress.ts"
import { observeClaim } from "./observe-claim.ts"
import { observeEgress } from "./observe-egress.ts"
import { waitForSource } from "./source.ts"
import { Claim } from "./tag.ts"

const optional = Schema.optionalKey

/** What the API server makes of the build Pod in a dry run. */
export const Admission = Schema.Struct({
  /** Unclear: denied for the first time, which may pass. */
  outcome: Schema.Literals(["Admitted", "Denied", "FieldsDropped", "Unclear"]),
  message: Schema.String
})
export type Admission = typeof Admission.Type

export const Place = Schema.Struct({
  node: Node,
  volume: optional(PersistentVolume),
  claim: optional(PersistentVolumeClaim),
  volumeJob: optional(Job),
  /** The volume Job's Pod, and what Kubernetes says while it does not start. */
  volumeWait: optional(Schema.Struct(Struct.omit(Work.fields, ["job"]))),
  buildJob: optional(Job),
  buildPod: optional(Pod),
  importJob: optional(Job),
  /** Asked only when everything else is ready for the build Job. */
  admission: optional(Admission)
})
export type Place = typeof Place.Type

export const Observed = Schema.Struct({
  time: Schema.String,
  build: NixBuild,
  namespaceUid: Schema.String,
  settings: SettingsSchema,
  /** All NixBuilds of the namespace, for the build Job; empty where none can be made. */
  liveFilter: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))),
  /** The nodes that want the image, and where it may be built or is built already; the build node first. */
  places: Schema.Array(Place),
  /** Who may use the tag: asked only when a build has succeeded and its image is to be imported. */
  claim: optional(Claim),
  /** What builds may reach: asked only when everything else is ready for a build Job. */
  egress: optional(Egress),
  /** What the API server has against an object that was to be created. */
  refusal: optional(Refusal)
})

/** A NixBuild that was given a node, or had one, and that some node still wants. */
export const isOpen = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp === undefined &&
  (isTrue(conditionsOf(build), "Scheduled") ||
    isTrue(conditionsOf(build), "Launched") ||
    (build.status?.nodes ?? []).some(isObstructed)) &&
  !hasFailed(build) &&
  unsettledNodes(build).length > 0

/** Its one build Job is there and has not succeeded yet: nothing follows from it. */
export const isUnderWay = (build: NixBuild): boolean => isBegun(build) && !isTrue(conditionsOf(build), "Success")

/** The build Job of the one node that wants the image is there, and nothing keeps it. */
const isBegun = (build: NixBuild): boolean => {
  const { buildJobName, buildNode = "" } = build.status ?? {}
  const attempt = { build: build.metadata, node: buildNode, attempt: attemptOn(build, buildNode) }
  return (
    isTrue(conditionsOf(build), "Launched") &&
    buildJobName === jobName("build", attempt) &&
    wantedNodes(build).length === 1 &&
    nodeStatusOf(build, buildNode) === undefined
  )
}

/** Whether another step follows from a Job's end: that of a volume, and that of a build. */
export const isStep = ({ metadata: { annotations, labels } }: Job): boolean =>
  labels?.[tagLabel] === undefined &&
  (annotations?.[nixBuildAnnotation] !== undefined || annotations?.[namespaceAnnotation] !== undefined)

/** It has succeeded, and nothing imports yet what it gave. */
export const isBuilt = ({ buildJob, buildPod, importJob }: Place): boolean =>
  importJob === undefined &&
  buildJob !== undefined &&
  endedWell({ job: buildJob, ...(buildPod === undefined ? {} : { pod: buildPod }) })

export const subjects = subjectsAmong(isOpen)

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
  const [egress, answers] = yield* Effect.all(
    [Effect.flatMap(claims, (claims) => observeEgress(namespace, claims)), asked],
    { concurrency: "unbounded" }
  )
  const admissions = new Map(answers)
  const places = observed.places.map((place) => {
    const admission = admissions.get(place.node.metadata.name)
    return admission === undefined ? place : { ...place, admission }
  })
  return Option.some({ ...observed, places, egress })
})

const observeBuild = Effect.fnUntraced(function* (build: Option.Option<NixBuild>) {
  const cluster = yield* Cluster
  const settings = yield* Settings
  if (Option.isNone(build) || !isOpen(build.value)) return Option.none()
  const itsJobs = yield* cluster.list(jobsOf(build.value.metadata))
  const jobAt = new Map(itsJobs.map((job) => [job.metadata.name, job]))
  if (isBegun(build.value) && isImported(build.value, jobAt)) return Option.none()
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
  const found = there.map(({ place }) => place)
  const observed: typeof Observed.Type = {
    time,
    build: build.value,
    namespaceUid,
    liveFilter,
    settings,
    places: found,
    ...(found.some(isBuilt) ? { claim: yield* observeClaim(build.value) } : {})
  }
  return Option.some<Found>({
    claims,
    namespace: namespace.value,
    observed,
    ready: ready.map((node) => ({ build: build.value, node, settings, liveFilter, liveTime: time }))
  })
})

/** Its import Job is there too, and importer-status tells what becomes of it. */
const isImported = (build: NixBuild, jobAt: Jobs): boolean =>
  unsettledNodes(build).every((node) =>
    jobAt.has(jobName("import", { build: build.metadata, node, attempt: attemptOn(build, node) }))
  )

const filterLive = Effect.fnUntraced(function* ({ metadata }: NixBuild) {
  const cluster = yield* Cluster
  const live = yield* cluster.list(buildsIn(metadata.namespace ?? ""))
  return writeFilter({ of: metadata.uid, uids: live.map(({ metadata }) => metadata.uid) })
})

interface At {
  readonly build: NixBuild
  readonly namespaceUid: string
  readonly node: string
  readonly time: string
}

type Claims = Effect.Effect<ReadonlyArray<PersistentVolumeClaim>, KubernetesError>
type Jobs = ReadonlyMap<string, Job>

interface Around {
  readonly claims: Claims
  readonly jobAt: Jobs
}

const observePlace = Effect.fnUntraced(function* (at: At, { claims, jobAt }: Around) {
  const { build, node: name } = at
  const attempt = { build: build.metadata, node: name, attempt: attemptOn(build, name) }
  const cluster = yield* Cluster
  const node = yield* cluster.get(nodes, { name })
  if (Option.isNone(node)) return undefined
  const [buildJob, importJob] = [jobAt.get(jobName("build", attempt)), jobAt.get(jobName("import", attempt))]
  // What was begun needs no other volume.
  const isBegun = buildJob !== undefined || importJob !== undefined
  const { isPrepared, ...cache } = isBegun ? { isPrepared: false } : yield* observeCache(at, yield* claims)
  const place: Place = {
    node: withoutImages(node.value),
    ...cache,
    ...(buildJob === undefined ? {} : yield* observeBuildJob(buildJob)),
    ...(importJob === undefined ? {} : { importJob })
  }
  return { place, isReady: isPrepared && !isBegun && waitForSource(build, name) === undefined }
})

const observeCache = Effect.fnUntraced(function* (
  { namespaceUid, node: name, time }: At,
  claims: ReadonlyArray<PersistentVolumeClaim>
) {
  const cluster = yield* Cluster
  const volume = yield* cluster.get(persistentVolumes, { name: persistentVolumeName(namespaceUid, name) })
  const claim = claims.find(({ metadata }) => metadata.name === claimName(name))
  // Once the claim is there, so are the directories.
  const prepares = { namespace: systemNamespace, name: volumeJobName(namespaceUid, name) }
  const volumeWork = claim === undefined ? yield* observeWork({ ...prepares, isOpen: true, time }) : Option.none()
  return {
    isPrepared: claim !== undefined || Option.exists(volumeWork, endedWell),
    ...(Option.isSome(volume) ? { volume: volume.value } : {}),
    ...(claim === undefined ? {} : { claim }),
    ...(Option.isSome(volumeWork) ? inVolume(volumeWork.value) : {})
  }
})

const inVolume = ({ job, ...wait }: Work) => ({ volumeJob: job, ...(isFinished({ job }) ? {} : { volumeWait: wait }) })

// A container of others may make a failed Job of one that has built.
const observeBuildJob = Effect.fnUntraced(function* (buildJob: Job) {
  if (isSucceeded(buildJob)) return { buildJob }
  const cluster = yield* Cluster
  const [buildPod] = yield* cluster.list(podsOf(buildJob))
  return { buildJob, ...(buildPod === undefined ? {} : { buildPod }) }
})

// A Job is admitted where its Pod is not, and then waits for ever without a
// word; and an API server with a feature gate off drops fields in silence.
const askAdmission = Effect.fnUntraced(function* (place: BuildPlace) {
  const cluster = yield* Cluster
  const { metadata, spec } = makeBuildPod(place)
  const { namespace } = place.build.metadata
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "enbi-admission", namespace }, spec }
  const what = `build Pods ${place.build.metadata.uid} ${place.node}`
  const about = { kind: "Namespace", name: namespace ?? "" }
  return yield* cluster.dryRunCreate(pods, pod).pipe(
    Effect.tap(() => forgetRefusal({ what, about })),
    Effect.map((stored): Admission => {
      const isKept =
        !place.build.spec.sandbox || Option.exists(Schema.decodeUnknownOption(SandboxedPod)(stored), isUnmasked)
      return { outcome: isKept ? "Admitted" : "FieldsDropped", message: "" }
    }),
    Effect.catchIf(
      (error) => error.isObjection,
      Effect.fnUntraced(function* (error) {
        const isLasting = yield* isLastingRefusal({ what, about, error })
        if (!isLasting && error.isRetryable) return yield* Effect.fail(error)
        const outcome = isLasting ? ("Denied" as const) : ("Unclear" as const)
        return { outcome, message: error.message }
      })
    )
  )
})

const SandboxedPod = Schema.Struct({
  spec: Schema.Struct({
    hostUsers: Schema.Literal(false),
    // A webhook may have added containers of its own; the field is either kept for all or for none.
    containers: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        securityContext: Schema.optionalKey(Schema.Struct({ procMount: Schema.optionalKey(Schema.String) }))
      })
    )
  })
})

const isUnmasked = ({ spec }: typeof SandboxedPod.Type): boolean =>
  spec.containers.some(({ name, securityContext }) => name === "build" && securityContext?.procMount === "Unmasked")
