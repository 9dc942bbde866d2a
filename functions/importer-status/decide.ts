/**
 * Tells how a NixBuild ended, once for the build and once for each node that
 * wants it, and when what failed is tried again. `pod-waker` then wakes the Pods
 * that waited there, and `retention` removes the Jobs that succeeded. Sets
 * `Success`, `Complete` and `Stalled`.
 */
import { type Action, isAbout, referTo } from "../../lib/runtime/action.ts"
import { type Reason, reasons } from "../../lib/api/reasons.ts"
import {
  askedRetryOf,
  conditionsOf,
  endedAttempt,
  type Failure,
  mergeNodes,
  type NixBuild,
  nixBuilds,
  type NodeStatus,
  nodeStatusOf
} from "../../lib/api/nixbuild.ts"
import type { Refusal } from "../../lib/runtime/function.ts"
import { lastLines } from "../../lib/last-lines.ts"
import { type ConditionUpdate, isTrue } from "../../lib/kubernetes/condition.ts"
import { deliveryOf } from "../../lib/nixbuild/delivery.ts"
import { patchStatus, type StatusChange } from "../../lib/nixbuild/status.ts"
import { isHeld, isUnderWay, withoutSlots } from "../../lib/nixbuild/slots.ts"
import { runs } from "../../lib/nixbuild/work.ts"
import { wokenTimeOf } from "./missed.ts"
import { overdue } from "./overdue.ts"
import { callOff } from "./waiting.ts"
import { recordEvent, recordRefusal } from "../../lib/runtime/event-recorder.ts"
import { sourceFields } from "./locked.ts"
import { recordImages } from "../../lib/nixbuild/tag-claim.ts"
import type { Observed } from "./observe.ts"
import { failureAt, isMain, obstacleAt, type Seen, seen, settle, type World } from "./settle.ts"
import { retryAll } from "./retry.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"
import type { Sets } from "./sets.ts"

export const decide = (observed: typeof Observed.Type): ReadonlyArray<Action<Sets>> => {
  const { refusals } = observed
  const told = refusals.filter(({ isLasting }) => isLasting).map((refusal) => tellRefusal(observed, refusal))
  // Nothing follows from what the status does not say yet.
  if (refusals.some(({ kind }) => kind === "NixBuild" || kind === "Lease")) return told
  return [...told, ...work(observed).filter((action) => refusals.every((refusal) => !isAbout(action, refusal)))]
}

const tellRefusal = ({ build, time }: typeof Observed.Type, refusal: Refusal): Action =>
  recordRefusal({
    regarding: nixBuilds,
    about: build.metadata,
    refusal,
    time,
    key: `${refusal.kind}/${refusal.name}`
  })

const work = (observed: typeof Observed.Type): ReadonlyArray<Action<Sets>> => {
  const { build, time } = observed
  const asked = askedRetryOf(build)
  if (asked !== undefined) return retryAll(build, { asked, time })
  const world = seen(observed)
  const settled = world.places.flatMap((place) => settle(world, place))
  const nodes = mergeNodes(build, settled).map((node) => {
    const waiting = world.places.find(({ name }) => name === node.name)?.waiting ?? []
    return { ...node, ...wokenTimeOf(node, { build, time, waiting }) }
  })
  const main = world.places.find((place) => isMain(build, place))
  const ending = main === undefined || isTrue(conditionsOf(build), "Complete") ? nothing : end(world, main)
  return [
    ...tell(world, settled),
    // Before the NixBuild says so: whoever wants the tag then finds which image it is.
    ...record(world, settled),
    ...patchStatus(build, {
      why: "What the Jobs on its nodes came to",
      time,
      conditions: ending.conditions,
      fields: {
        ...sourceFields(build, main?.build),
        ...ending.fields,
        ...calledOff(build, settled),
        ...(nodes.length === 0 ? {} : { nodes }),
        ...withoutSlots(
          build,
          settled.filter((node) => !isUnderWay(node)).map(({ name }) => name)
        )
      }
    }),
    ...callOff(world.places, settled),
    ...endWhatRemains(world)
  ]
}

/** The attempt that the build begins next, where the one before could not begin. */
const calledOff = (build: NixBuild, settled: ReadonlyArray<NodeStatus>) =>
  settled
    .filter((node) => node.name === build.status?.buildNode && isHeld(node))
    .reduce<{ readonly attempt?: number }>((_, { attempt }) => ({ attempt }), {})

type Update = ConditionUpdate<Sets, Reason>

interface Ending {
  readonly conditions: ReadonlyArray<Update>
  readonly fields: NonNullable<StatusChange["fields"]>
}
const nothing: Ending = { conditions: [], fields: {} }

/** How the build ended, told by the Jobs on the node that builds. */
const end = (world: World, place: Seen): Ending => {
  const { built, imported } = place
  const isBuilt = place.import !== undefined || isTrue(conditionsOf(world.build), "Success")
  if (!isBuilt && built._tag === "Open" && failureAt(world, place) === undefined) return nothing
  const found = built._tag === "Succeeded" ? { storePath: built.result.storePath } : {}
  const success =
    isBuilt || built._tag === "Succeeded"
      ? [update("Success", "True", { reason: "ResultSuccess", message: reasons.ResultSuccess })]
      : []
  if (imported._tag === "Succeeded") {
    const { configDigest, digest, sizeBytes } = imported.result
    return {
      conditions: [
        ...success,
        update("Complete", "True", { reason: "BuildFinished", message: deliveryOf(world.build).completed })
      ],
      fields: {
        ...found,
        imageDigest: digest,
        imageConfigDigest: configDigest,
        imageSize: sizeBytes,
        ...(world.build.status?.failure === undefined ? {} : { failure: null })
      }
    }
  }
  const failure = failureAt(world, place)
  if (failure === undefined) return { conditions: success, fields: found }
  const [retry] = settle(world, place)
  return retry?.retryTime === undefined
    ? failing(failure, success.length > 0 ? success : [update("Success", "False", failure)])
    : {
        conditions: success.length > 0 ? success : [update("Success", "Unknown", failure)],
        fields: { failure, attempt: retry.attempt, retryTime: retry.retryTime }
      }
}

const update = (
  type: Sets,
  status: Update["status"],
  { message, reason }: Pick<Update, "reason" | "message">
): Update => ({ type, status, reason, message })

const failing = (failure: Failure, success: ReadonlyArray<Update>): Ending => ({
  conditions: [
    ...success,
    update("Complete", "True", { reason: "BuildFinished", message: `It failed: ${failure.message}` }),
    update("Stalled", "True", failure)
  ],
  fields: { failure }
})

const tell = (world: World, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<Action> =>
  world.places.flatMap((place) =>
    settled
      .filter((node) => node.name === place.name && !isUnderWay(node))
      .map((node) =>
        recordEvent({
          regarding: nixBuilds,
          about: world.build.metadata,
          type: node.reason === deliveryOf(world.build).done ? "Normal" : "Warning",
          reason: node.reason,
          message: `On ${node.name}: ${node.message ?? `${sentence(world, place)}${again(node)}`}`,
          time: world.time,
          key: keyOf(node)
        })
      )
  )

// What keeps an attempt from beginning is said once, however often it is tried.
const keyOf = (node: NodeStatus): string =>
  node.message !== undefined || endedAttempt(node) === 1 ? node.name : `${node.name} ${endedAttempt(node)}`

const record = ({ build, lease }: World, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<Action> => {
  const digests = settled.flatMap(({ digest }) => (digest === undefined ? [] : [digest]))
  return lease === undefined || digests.length === 0 ? [] : recordImages(lease, { build, digests })
}

const again = ({ attempt, retryTime }: NodeStatus): string =>
  retryTime === undefined ? "" : `\nAttempt ${attempt} begins at ${retryTime}.`

const sentence = (world: World, place: Seen): string => {
  const { built, imported } = place
  if (imported._tag === "Succeeded") {
    const { movedBlobs, movedBytes } = imported.result
    const done =
      built._tag === "Succeeded"
        ? `derivations built: ${built.result.builtDerivations}, paths fetched: ${built.result.fetchedPaths}, `
        : ""
    return `${world.build.spec.imageTag} (${done}blobs moved: ${movedBlobs}, ${movedBytes} bytes).`
  }
  const failure = failureAt(world, place)
  if (failure !== undefined) {
    return failure.log === undefined ? failure.message : `${failure.message}\n${lastLines(failure.log, 500)}`
  }
  return nodeStatusOf(world.build, place.name)?.importedTime === undefined
    ? `the image is not brought there: the node ${obstacleAt(world, place)}.`
    : reasons.ImageVanished
}

/**
 * Ends what still runs in the Pod of work that failed: others' containers, or
 * ours that does not end by itself. Unlike a deletion this leaves Pod and log.
 */
const endWhatRemains = ({ build, places, time }: World): ReadonlyArray<Action> =>
  places
    .flatMap((place) => {
      const isOverdue = overdue(build, place, time) !== undefined
      return [
        ...(place.built._tag === "Failed" || isOverdue ? [place.build?.pod] : []),
        ...(place.imported._tag === "Failed" || isOverdue ? [place.import?.pod] : [])
      ]
    })
    .flatMap((pod) => (pod !== undefined && runs(pod) && pod.spec.activeDeadlineSeconds === undefined ? [pod] : []))
    .map((pod) => ({
      action: "Patch",
      why: "Its work has failed, and something in it still runs",
      target: referTo(pods, pod),
      patch: { spec: { activeDeadlineSeconds: 1 } }
    }))
