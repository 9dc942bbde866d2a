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
import { lastLines } from "../../lib/last-lines.ts"
import { patchStatus } from "../../lib/nixbuild-status.ts"
import { obstacleOf } from "../../lib/placement.ts"
import { say } from "../../lib/say.ts"
import type { Observed, Place } from "./observe.ts"
import { buildOutcome, importOutcome } from "./outcome.ts"

/** A node with what its Jobs came to. */
interface Seen extends Place {
  readonly built: ReturnType<typeof buildOutcome>
  readonly imported: ReturnType<typeof importOutcome>
}

type World = Omit<typeof Observed.Type, "places"> & { readonly places: ReadonlyArray<Seen> }

export const decide = (observed: typeof Observed.Type): ReadonlyArray<Action> => {
  const { build, time } = observed
  const places = observed.places.map((place) => ({
    ...place,
    built: buildOutcome(place.build),
    imported: importOutcome(place.import)
  }))
  const world = { ...observed, places }
  const settled = places.flatMap((place) => settle(world, place))
  const merged = mergeNodes(build, settled)
  const wakings = merged.map((node) => wakes(world, node))
  const nodes = merged.map((node, index) => (wakings[index]?.length === 0 ? node : { ...node, wokenTime: time }))
  const main = places.find((place) => isMain(build, place))
  const ending = main === undefined || isTrue(conditionsOf(build), "Complete") ? nothing : end(build, main)
  return [
    ...tell(world, settled),
    ...patchStatus(build, {
      why: "What the Jobs on its nodes came to",
      time,
      verdicts: [...ending.verdicts, ...readiness(nodes, ending.fields.failure)],
      fields: { ...ending.fields, ...(nodes.length === 0 ? {} : { nodes }) }
    }),
    ...wakings.flat(),
    ...removals(world)
  ]
}

interface Ending {
  readonly verdicts: ReadonlyArray<Verdict>
  readonly fields: Omit<Status, "conditions" | "status">
}
const nothing: Ending = { verdicts: [], fields: {} }

/** How the build ended, told by the Jobs on the node that builds. */
const end = (build: NixBuild, place: Seen): Ending => {
  const { built, imported } = place
  // There is no import without a build that succeeded, and what was told stands, whatever became of its Pod since.
  if (place.import === undefined && !isTrue(conditionsOf(build), "Success")) {
    if (built._tag === "Open") return nothing
    if (built._tag === "Failed") return failing(built.failure, [verdict("Success", "False", built.failure)])
  }
  const found =
    built._tag === "Succeeded" ? { lockedUrl: built.result.lockedUrl, storePath: built.result.storePath } : {}
  const success = [verdict("Success", "True", { reason: "ResultSuccess", message: reasons.ResultSuccess })]
  if (imported._tag === "Open") return { verdicts: success, fields: found }
  if (imported._tag === "Failed") return failing(imported.failure, success)
  const { configDigest, digest, sizeBytes } = imported.result
  return {
    verdicts: [...success, verdict("Complete", "True", { reason: "BuildFinished", message: "Image loaded" })],
    fields: { ...found, imageDigest: digest, imageConfigDigest: configDigest, imageSize: sizeBytes }
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
const settle = (world: World, place: Seen): ReadonlyArray<NodeStatus> => {
  const { build, time } = world
  if (!unsettledNodes(build).includes(place.name)) return []
  const entry = { name: place.name, attempt: build.status?.attempt ?? 1 }
  const { built, imported } = place
  if (imported._tag === "Succeeded") {
    return [{ ...entry, reason: "ImagePulled", digest: imported.result.digest, importedTime: time }]
  }
  if (imported._tag === "Failed") return [{ ...entry, reason: imported.failure.reason }]
  const isBuilt = place.import !== undefined || (isMain(build, place) && isTrue(conditionsOf(build), "Success"))
  if (built._tag === "Failed" && !isBuilt) return [{ ...entry, reason: built.failure.reason }]
  const isUnable = obstacleAt(world, place) !== undefined
  const isKnown = (build.status?.nodes ?? []).some((node) => node.name === place.name)
  return isUnable && !isKnown && place.build === undefined ? [{ ...entry, reason: "NoMatchingNode" }] : []
}

const isMain = (build: NixBuild, place: Place): boolean => place.name === build.status?.buildNode

const obstacleAt = ({ build, nodeRepel }: World, { node }: Place): string | undefined =>
  node === undefined ? "is gone" : obstacleOf(node, { system: build.spec.system, nodeRepel })

const mergeNodes = (build: NixBuild, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<NodeStatus> => [
  ...(build.status?.nodes ?? []).filter((before) => settled.every((node) => node.name !== before.name)),
  ...settled
]

const tell = (world: World, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<Action> =>
  world.places.flatMap((place) =>
    settled
      .filter((node) => node.name === place.name)
      .map(({ name, reason }) =>
        say({
          regarding: "NixBuild",
          about: world.build.metadata,
          type: reason === "ImagePulled" ? "Normal" : "Warning",
          reason,
          message: `On ${name}: ${sentence(world, place)}`,
          time: world.time,
          key: name
        })
      )
  )

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
  const failure = imported._tag === "Failed" ? imported.failure : built._tag === "Failed" ? built.failure : undefined
  if (failure === undefined) return `the image is not brought there: the node ${obstacleAt(world, place)}.`
  return failure.log === undefined ? failure.message : `${failure.message}\n${lastLines(failure.log, 500)}`
}

// kubelet looks again as soon as the Pod changes in any way, instead of at the end of its back-off.
const wakes = ({ build, places }: World, { importedTime, name }: NodeStatus): ReadonlyArray<Action> => {
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
