/**
 * Tells how a NixBuild ended, once for the build and once for each node that
 * wants it; wakes the Pods that waited there; then removes the Jobs that
 * succeeded and leaves those that failed for reading. Sets `Success`,
 * `Complete`, `Ready` and `Stalled`.
 */
import { type Action, referTo } from "../../lib/action.ts"
import { isTrue, reasons, type Verdict } from "../../lib/api/condition.ts"
import {
  conditionsOf,
  type Failure,
  type NixBuild,
  type NodeStatus,
  type Status,
  unsettledNodes
} from "../../lib/api/nixbuild.ts"
import { wokenAnnotation } from "../../lib/keys.ts"
import { patchStatus } from "../../lib/nixbuild-status.ts"
import { obstacleOf } from "../../lib/placement.ts"
import { say } from "../../lib/say.ts"
import type { Observed, Place } from "./observe.ts"
import { buildOutcome, importOutcome } from "./outcome.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action> => {
  const { build, places, time } = world
  const settled = places.flatMap((place) => settle(world, place))
  const isWakingAt = (name: string) => settled.some((node) => node.name === name) || wakes(world, name).length > 0
  const nodes = mergeNodes(build, settled).map((node) =>
    node.importedTime !== undefined && isWakingAt(node.name) ? { ...node, wokenTime: time } : node
  )
  const main = places.find((place) => place.name === build.status?.buildNode)
  const ending = main === undefined || isTrue(conditionsOf(build), "Complete") ? nothing : end(build, main)
  return [
    ...tell(world, settled),
    ...patchStatus(build, {
      why: "What the Jobs on its nodes came to",
      time,
      verdicts: [...ending.verdicts, ...readiness(nodes, ending.fields.failure)],
      fields: { ...ending.fields, ...(nodes.length === 0 ? {} : { nodes }) }
    }),
    ...nodes.flatMap((node) => wakes({ ...world, build: { ...build, status: { ...build.status, nodes } } }, node.name)),
    ...removals(world)
  ]
}

interface Ending {
  readonly verdicts: ReadonlyArray<Verdict>
  readonly fields: Omit<Status, "conditions" | "status">
}
const nothing: Ending = { verdicts: [], fields: {} }

/** How the build ended, told by the Jobs on the node that builds. */
const end = (build: NixBuild, place: Place): Ending => {
  const built = buildOutcome(place.build)
  if (built._tag === "Open") return nothing
  if (built._tag === "Failed") return failing(built.failure, [verdict("Success", "False", built.failure)])
  const { lockedUrl, storePath } = built.result
  const success = [verdict("Success", "True", { reason: "ResultSuccess", message: reasons.ResultSuccess })]
  const imported = importOutcome(place.import)
  if (imported._tag === "Open") return { verdicts: success, fields: { lockedUrl, storePath } }
  if (imported._tag === "Failed") return failing(imported.failure, success)
  const { configDigest, digest, sizeBytes } = imported.result
  return {
    verdicts: [...success, verdict("Complete", "True", { reason: "BuildFinished", message: "Image loaded" })],
    fields: { lockedUrl, storePath, imageDigest: digest, imageConfigDigest: configDigest, imageSize: sizeBytes }
  }
}

const verdict = (
  type: Verdict["type"],
  status: Verdict["status"],
  { message, reason }: Pick<Verdict, "reason" | "message">
): Verdict => ({ type, status, reason, message })

const failing = (failure: Failure, success: ReadonlyArray<Verdict>): Ending => ({
  verdicts: [
    ...success,
    verdict("Complete", "True", { reason: "BuildFinished", message: `It failed: ${failure.message}` }),
    verdict("Stalled", "True", failure)
  ],
  fields: { failure }
})

const readiness = (nodes: ReadonlyArray<NodeStatus>, failure: Failure | undefined): ReadonlyArray<Verdict> => {
  const have = nodes.filter((node) => node.importedTime !== undefined).map((node) => node.name)
  if (have.length > 0) {
    return [verdict("Ready", "True", { reason: "Imported", message: `The image is on ${have.join(", ")}.` })]
  }
  return failure === undefined ? [] : [verdict("Ready", "False", failure)]
}

/** What is newly known of a node, if anything. */
const settle = (world: World, place: Place): ReadonlyArray<NodeStatus> => {
  const { build, nodeRepel, time } = world
  if (!unsettledNodes(build).includes(place.name)) return []
  const entry = { name: place.name, attempt: build.status?.attempt ?? 1 }
  const built = buildOutcome(place.build)
  const imported = importOutcome(place.import)
  if (imported._tag === "Succeeded") {
    return [{ ...entry, reason: "ImagePulled", digest: imported.result.digest, importedTime: time }]
  }
  if (imported._tag === "Failed") return [{ ...entry, reason: imported.failure.reason }]
  if (built._tag === "Failed") return [{ ...entry, reason: built.failure.reason }]
  const isUnable =
    place.node === undefined || obstacleOf(place.node, { system: build.spec.system, nodeRepel }) !== undefined
  const isKnown = (build.status?.nodes ?? []).some((node) => node.name === place.name)
  return isUnable && !isKnown && place.build === undefined ? [{ ...entry, reason: "NoMatchingNode" }] : []
}

const mergeNodes = (build: NixBuild, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<NodeStatus> => [
  ...(build.status?.nodes ?? []).filter((before) => settled.every((node) => node.name !== before.name)),
  ...settled
]

const tell = ({ build, places, time }: World, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<Action> =>
  settled.map(({ name, reason }) => {
    const place = places.find((place) => place.name === name)
    return say({
      regarding: "NixBuild",
      about: build.metadata,
      type: reason === "ImagePulled" ? "Normal" : "Warning",
      reason,
      message: `On ${name}: ${place === undefined ? reasons[reason] : sentence(build, place)}`,
      time,
      key: name
    })
  })

const sentence = (build: NixBuild, place: Place): string => {
  const built = buildOutcome(place.build)
  const imported = importOutcome(place.import)
  if (imported._tag === "Succeeded") {
    const { movedBlobs, movedBytes } = imported.result
    const done =
      built._tag === "Succeeded"
        ? `derivations built: ${built.result.builtDerivations}, paths fetched: ${built.result.fetchedPaths}, `
        : ""
    return `${build.spec.imageTag} (${done}blobs moved: ${movedBlobs}, ${movedBytes} bytes).`
  }
  const failure = imported._tag === "Failed" ? imported.failure : built._tag === "Failed" ? built.failure : undefined
  if (failure === undefined) return reasons.NoMatchingNode
  return failure.log === undefined ? failure.message : `${failure.message}\n${failure.log.slice(-500)}`
}

// kubelet looks again as soon as the Pod changes in any way, instead of at the end of its back-off.
const wakes = ({ build, places }: World, name: string): ReadonlyArray<Action> => {
  const importedTime = build.status?.nodes?.find((node) => node.name === name)?.importedTime
  const waiting = places.find((place) => place.name === name)?.waiting ?? []
  return importedTime === undefined
    ? []
    : waiting
        .filter((pod) => pod.metadata.annotations?.[wokenAnnotation] !== importedTime)
        .map((pod) => ({
          action: "Patch",
          why: `${build.spec.imageTag} is on ${name}`,
          target: referTo("Pod", pod),
          patch: { metadata: { annotations: { [wokenAnnotation]: importedTime } } }
        }))
}

/** Only what the stored status already tells of: a Job is the only witness until then. */
const removals = ({ build, places }: World): ReadonlyArray<Action> =>
  places
    .filter((place) =>
      build.status?.nodes?.some(({ importedTime, name }) => name === place.name && importedTime !== undefined)
    )
    .flatMap((place) => [place.build, place.import])
    .flatMap((work) => (work === undefined || work.job.metadata.deletionTimestamp !== undefined ? [] : [work.job]))
    .map((job) => ({ action: "Delete", why: "It succeeded and its outcome is told", target: referTo("Job", job) }))
