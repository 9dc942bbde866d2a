/**
 * Builds a NixBuild on each node that wants it, one step at a time: the cache
 * volume, then the build Job. Sets `Launched` for the node that builds;
 * `importer` brings what was built into containerd, and `importer-status`
 * reads the outcomes.
 */
import { type Action, isAbout } from "../../lib/runtime/action.ts"
import { type Reason, reasons } from "../../lib/api/reasons.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { isFailed } from "../../lib/kubernetes/kinds.ts"
import {
  attemptOn,
  conditionsOf,
  isWaitingForRetry,
  nixBuilds,
  nodeStatusOf,
  unsettledNodes
} from "../../lib/api/nixbuild.ts"
import { jobName } from "../../lib/api/names.ts"
import { patchStatus } from "../../lib/nixbuild/status.ts"
import { obstacleOf } from "../../lib/nixbuild/placement.ts"
import { heldFields, tellHold, tellRefusal } from "../../lib/nixbuild/holds.ts"
import { hasSlot, isHeld, needsSlot } from "../../lib/nixbuild/slots.ts"
import { isOfFormerNode } from "../../lib/nixbuild/cache-volume.ts"
import { endedWell, obstacleOf as obstacleOfWork, overrunSince } from "../../lib/nixbuild/work.ts"
import { makeBuildJob } from "./build-job.ts"
import { type EgressStep, egressStep, keptOpenRemark } from "./egress.ts"
import { holdOf, refused, withSlot } from "./hold.ts"
import type { Observed } from "./observe.ts"
import type { Place } from "./observe-place.ts"
import { waitForSource } from "./source.ts"
import { type AnnotatedJob, type NamedStep, type Step, wait } from "./step.ts"
import { makeClaim, makePersistentVolume, makeVolumeJob } from "./volume.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action<"Launched">> => {
  const { build, settings, time } = world
  const able = world.places.filter(
    (place) =>
      // What was begun is ended, also on a node that has been cordoned since.
      isBegunAt(place) ||
      obstacleOf(place.node, { system: build.spec.system, nodeRepel: settings.nodeRepel }) === undefined
  )
  const ofStatus = world.refusals.find(({ kind }) => kind === nixBuilds.kind)
  // A status that can't be written tells nothing, and without it nothing may be done.
  if (ofStatus !== undefined) return tellRefusal(world, ofStatus)
  const egress = egressStep(world)
  const steps = able.flatMap((place): ReadonlyArray<NamedStep> => {
    const step = nextStep(world, place, egress)
    const named = { name: place.node.metadata.name, isBegun: isBegunAt(place) }
    if (step === undefined) return []
    const refusal = world.refusals.find((one) => step.actions.some((action) => isAbout(action, one)))
    if (refusal !== undefined) {
      return refusal.isLasting ? [{ ...named, ...refused(refusal), isRefused: true }] : []
    }
    return [withSlot(world, { ...named, ...step })]
  })
  const step = steps.find((one) => one.name === build.status?.buildNode) ?? held(world)
  const main = step === undefined ? undefined : withWaiting(step, steps)
  const holds = steps.flatMap((one) => holdOf(world, one))
  return [
    // What the first does for all nodes is done once.
    ...new Set(steps.flatMap((one) => one.actions)),
    ...holds.flatMap((node) => tellHold(world, node)),
    ...(main === undefined && holds.length === 0
      ? []
      : patchStatus(build, {
          why:
            main === undefined ? `On ${holds.map(({ name }) => name).join(", ")}` : `On ${main.name}: ${main.reason}`,
          time,
          conditions: main === undefined ? [] : [launchedUpdate(main)],
          fields: {
            ...(main?.buildJobName === undefined ? {} : { buildJobName: main.buildJobName }),
            ...heldFields(world, holds)
          }
        }))
  ]
}

const launchedUpdate = ({ buildJobName, message, reason }: Step) => ({
  type: "Launched" as const,
  status: buildJobName === undefined ? ("False" as const) : ("True" as const),
  reason,
  message
})

const isAboutSource = (reason: Reason): boolean => reason === "SourcePending" || reason === "SourceRefused"

/** Of the node that builds, with the nodes that wait for what it finds. */
const withWaiting = (step: NamedStep, steps: ReadonlyArray<NamedStep>): NamedStep => {
  const waiting = steps.filter(({ name, reason }) => isAboutSource(reason) && name !== step.name)
  return waiting.length === 0
    ? step
    : { ...step, message: [step.message, ...waiting.map(({ message }) => message)].join("\n") }
}

/** Why nothing happens on the node that builds, where that is not so already. */
const held = ({ build, places, refusals, time }: World): NamedStep | undefined => {
  const { buildJobName, buildNode: name = "", failure } = build.status ?? {}
  const attempt = attemptOn(build, name)
  const node = nodeStatusOf(build, name)
  if (isTrue(conditionsOf(build), "Complete")) return undefined
  if (isHeld(node) && (isWaitingForRetry(node, time) || !hasSlot(build, name)))
    return { name, isBegun: false, ...wait(node.reason, node.message ?? reasons[node.reason]) }
  if (isWaitingForRetry(node, time)) {
    const message = `${reasons.RetryPending} Attempt ${attempt} begins at ${node?.retryTime}. ${failure?.message ?? ""}`
    return { name, isBegun: false, ...wait("RetryPending", message.trim()) }
  }
  const isBegun = buildJobName === jobName("build", { build: build.metadata, node: name, attempt })
  if (!unsettledNodes(build).includes(name) || isBegun || !isTrue(conditionsOf(build), "Launched")) return undefined
  // The scheduler says which place in the queue the next attempt has.
  if (needsSlot(build, name) && !hasSlot(build, name))
    return { name, isBegun: false, ...wait("NoFreeSlot", reasons.NoFreeSlot) }
  const place = places.find((one) => one.node.metadata.name === name)
  if (place?.admission?.outcome === "Unclear" || (place !== undefined && refusals.length > 0)) return undefined
  return {
    name,
    isBegun: false,
    ...wait(
      "NoMatchingNode",
      `${reasons.NoMatchingNode} ${name} ${place === undefined ? "is gone" : "can't build now"}.`
    )
  }
}

/** Nothing while it is not clear whether the step can be taken. */
const nextStep = (world: World, place: Place, egress: EgressStep): Step | undefined => {
  const at = placeOf(world, place)
  const node = at.node.metadata.name
  const buildJob = makeBuildJob({
    build: world.build,
    node,
    settings: world.settings,
    liveFilter: world.liveFilter,
    liveTime: world.time,
    egress
  })
  if (isBegunAt(place)) return { actions: [], ...launched(world, place.buildJob ?? buildJob) }
  if (isGoing(place)) return wait("VolumePending", reasons.VolumePending)
  const isPrepared =
    place.claim !== undefined ||
    (place.volumeJob !== undefined && endedWell({ ...place.volumeWait, job: place.volumeJob }))
  const sourceWait = isPrepared ? waitForSource(world.build, node) : undefined
  if (sourceWait !== undefined) return wait(sourceWait.reason, sourceWait.message)
  if (place.admission === undefined) return beforeVolume(world, place)
  if (place.admission.outcome === "Unclear") return undefined
  if (isLost(place)) {
    const { name } = makePersistentVolume(at).metadata
    return wait(
      "VolumeFailed",
      `The claim of the cache was deleted, and its volume cannot be bound again: kubectl delete persistentvolume ${name}`
    )
  }
  const { message, outcome } = place.admission
  if (outcome === "FieldsDropped") return wait("SandboxUnavailable", reasons.SandboxUnavailable)
  if (outcome === "Denied") {
    const reason = /violates PodSecurity/.test(message) ? "PodSecurityDenied" : "PodRefused"
    return wait(reason, `${reasons[reason]} The API server says: ${message}`)
  }
  if (egress.obstacle !== undefined)
    return wait("BuildEgressInvalid", `${reasons.BuildEgressInvalid} ${egress.obstacle}`)
  return {
    actions: [
      ...createUnless(place.volume, "The cache of this namespace is on the node", makePersistentVolume(at)),
      ...egress.actions,
      // The claim comes after the directories: once it is there, they are.
      ...createUnless(place.claim, "The directories of the cache are there", makeClaim(at)),
      // The volume Job stays until its TTL: to a process that does not see the claim yet it says that all is prepared.
      { action: "Create", why: `${node} builds`, object: buildJob }
    ],
    ...launched(world, buildJob)
  }
}

/** Its build Job is there, or was: what it gave is being imported. */
const isBegunAt = ({ buildJob, importJob }: Place): boolean => buildJob !== undefined || importJob !== undefined

// Kubernetes would not let the build Pod begin, and retention removes what a former node has left.
const isGoing = ({ claim, node, volume }: Place): boolean =>
  volume?.metadata.deletionTimestamp !== undefined ||
  claim?.metadata.deletionTimestamp !== undefined ||
  (volume !== undefined && isOfFormerNode(volume, node))

// A volume keeps the uid of its claim, so it takes no other of the same name.
const isLost = ({ claim, volume }: Place): boolean =>
  volume?.status?.phase === "Released" || volume?.status?.phase === "Failed" || claim?.status?.phase === "Lost"

const createUnless = (
  there: unknown,
  why: string,
  object: Extract<Action, { action: "Create" }>["object"]
): ReadonlyArray<Action> => (there === undefined ? [{ action: "Create", why, object }] : [])

// It makes some directories.
const volumeSeconds = 600

const beforeVolume = (world: World, place: Place): Step => {
  const { volumeJob } = place
  if (volumeJob !== undefined && isFailed(volumeJob)) {
    const { name, namespace } = volumeJob.metadata
    return wait(
      "VolumeFailed",
      `${reasons.VolumeFailed} kubectl logs -n ${namespace} job/${name}; then kubectl delete -n ${namespace} job/${name} for another try.`
    )
  }
  const at = placeOf(world, place)
  const startedAt = overrunSince(place.volumeWait?.pod, { limitSeconds: volumeSeconds, time: world.time })
  if (startedAt !== undefined) {
    return wait("VolumeFailed", `${reasons.VolumeFailed} Job ${volumeJob?.metadata.name} runs since ${startedAt}.`)
  }
  const obstacle =
    volumeJob === undefined ? undefined : obstacleOfWork({ job: volumeJob, ...place.volumeWait }, world.time)
  if (obstacle !== undefined) {
    return wait(obstacle.reason, `${reasons[obstacle.reason]} The cache volume: ${obstacle.message}`)
  }
  return {
    ...wait("VolumePending", reasons.VolumePending),
    actions: [
      // Before its claim, since Kubernetes looks for the volume of a new claim at once and then only every fifteen seconds.
      ...createUnless(place.volume, "The cache of this namespace is on the node", makePersistentVolume(at)),
      ...createUnless(volumeJob, `${at.node.metadata.name} has no cache for this namespace yet`, makeVolumeJob(at))
    ]
  }
}

const placeOf = ({ build, egress, namespaceUid, settings }: World, { node }: Place) => ({
  build,
  namespaceUid,
  followsEgress: egress?.isOfOldCaches === false,
  settings,
  node
})

const launched = ({ build }: World, job: AnnotatedJob) => ({
  reason: "JobCreated" as const,
  message: `Job ${job.metadata.name} builds: kubectl logs -n ${build.metadata.namespace} job/${job.metadata.name}${keptOpenRemark(job)}`,
  buildJobName: job.metadata.name
})
