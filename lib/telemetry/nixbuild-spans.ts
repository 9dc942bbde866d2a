/**
 * What lies between a Pod that can't start and the Pod that runs, as the trace
 * of its NixBuild:
 *
 * | phase      | from                      | to                               |
 * |------------|---------------------------|----------------------------------|
 * | pod-waits  | the Pod can't start       | the NixBuild for it is there     |
 * | queue      | the NixBuild's creation   | `Scheduled`                      |
 * | prepare    | `Scheduled`               | `Launched`: the volume is there  |
 * | build      | the build Job's creation  | its end                          |
 * | import     | the import Job's creation | its end                          |
 * | pod-starts | the Pod is woken          | its container runs: `pod-starts` |
 * | nixbuild   | the NixBuild's creation   | `Complete`; parent of all others |
 */
import { Option, Schema } from "effect"
import type { Reason } from "../api/reasons.ts"
import { conditionOf, isTrue } from "../kubernetes/condition.ts"
import { isSucceeded, Job, Pod } from "../kubernetes/kinds.ts"
import { attemptOn, conditionsOf, NixBuild, nixBuilds, nodeStatusOf, unsettledNodes } from "../api/nixbuild.ts"
import type { Run } from "../runtime/observers.ts"
import { recordedEventName } from "../runtime/event-recorder.ts"
import { type StatusWrite, statusWritesOf } from "./nixbuild-changes.ts"
import type { Phase, Root } from "./span.ts"

export const rootOf = ({ metadata }: Pick<NixBuild, "metadata">): Root => ({ kind: nixBuilds.kind, metadata })

export const phasesOf = (run: Run): ReadonlyArray<Phase> => [
  ...podWaits(run),
  ...statusWritesOf(run).flatMap((write) => [
    ...queue(write),
    ...prepare(write),
    ...work(run, write),
    ...wholeWay(write)
  ])
]

/** The queue ends for a NixBuild when it gets its node. */
const queue = ({ became, before }: StatusWrite): ReadonlyArray<Phase> => {
  const scheduled = became("Scheduled")
  if (scheduled?.status !== "True") return []
  const to = scheduled.lastTransitionTime
  return [{ name: "queue", root: rootOf(before), key: [], from: before.metadata.creationTimestamp ?? to, to }]
}

/** What has to be prepared for a build, its cache volume above all, is there when its Job is. */
const prepare = ({ became, before }: StatusWrite): ReadonlyArray<Phase> => {
  const launched = became("Launched")
  if (launched?.status !== "True") return []
  const to = launched.lastTransitionTime
  const from = conditionOf(conditionsOf(before), "Scheduled")?.lastTransitionTime ?? to
  return [{ name: "prepare", root: rootOf(before), key: [], from, to }]
}

const WorkSeen = Schema.Struct({ job: Job })
const PlaceSeen = Schema.Struct({
  name: Schema.String,
  build: Schema.optionalKey(WorkSeen),
  import: Schema.optionalKey(WorkSeen)
})

// The part of an observation that has Jobs; others have none.
const decodePlaces = Schema.decodeUnknownOption(
  Schema.toType(Schema.Struct({ time: Schema.String, places: Schema.Array(PlaceSeen) }))
)

/** Builds and imports end when their outcome is written, each with the times of its Job. */
const work = ({ observed }: Run, write: StatusWrite): ReadonlyArray<Phase> =>
  Option.match(decodePlaces(observed), {
    onNone: () => [],
    onSome: ({ places, time }) => places.flatMap((place) => workAt(time, { place, write }))
  })

const workAt = (
  time: string,
  { place, write }: { readonly place: typeof PlaceSeen.Type; readonly write: StatusWrite }
): ReadonlyArray<Phase> => {
  const { became, before } = write
  const { build, import: imported, name } = place
  const settled = settledAt(write, name)
  const isMain = name === before.status?.buildNode
  const wasBuilt = isMain && isTrue(conditionsOf(before), "Success")
  const isBuilt = isMain && became("Success")?.status === "True"
  const attempt = attemptOn(before, name)
  const phaseOf = (step: "build" | "import", { job }: typeof WorkSeen.Type): Phase => {
    const to = endOf(job) ?? time
    const error = isSucceeded(job) ? undefined : settled?.reason
    return {
      name: step,
      root: rootOf(before),
      key: [name, String(attempt)],
      from: job.metadata.creationTimestamp ?? to,
      to,
      attributes: {
        "k8s.node.name": name,
        "k8s.job.name": job.metadata.name,
        "k8s.job.uid": job.metadata.uid,
        "enbi.attempt": attempt
      },
      ...(error === undefined ? {} : { error })
    }
  }
  return [
    ...(build !== undefined && !wasBuilt && (isBuilt || settled !== undefined) ? [phaseOf("build", build)] : []),
    ...(imported !== undefined && settled !== undefined ? [phaseOf("import", imported)] : [])
  ]
}

/** What this write says of the attempt on a node that was still open, if it says how that ended. */
const settledAt = ({ before, written }: StatusWrite, name: string): { readonly reason: Reason } | undefined => {
  const [known, now] = [nodeStatusOf(before, name), written.nodes?.find((node) => node.name === name)]
  const isNews = now?.attempt !== known?.attempt || now?.reason !== known?.reason || now?.retryTime !== known?.retryTime
  return isNews && unsettledNodes(before).includes(name) ? now : undefined
}

const endOf = (job: Job): string | undefined =>
  job.status?.conditions?.find(({ status, type }) => (type === "Complete" || type === "Failed") && status === "True")
    ?.lastTransitionTime ?? undefined

/** A requested retry after the end starts a new trace. */
const wholeWay = ({ became, before, written }: StatusWrite): ReadonlyArray<Phase> => {
  const complete = became("Complete")
  if (complete?.status !== "True") return []
  const to = complete.lastTransitionTime
  const asked = conditionOf(conditionsOf(before), "Complete")
  const stalled = conditionOf(written.conditions, "Stalled")
  return [
    {
      name: "nixbuild",
      root: rootOf(before),
      key: asked === undefined ? [] : [asked.lastTransitionTime],
      from: asked?.lastTransitionTime ?? before.metadata.creationTimestamp ?? to,
      to,
      attributes: { "k8s.node.name": before.status?.buildNode, "enbi.attempt": before.status?.attempt ?? 1 },
      ...(stalled?.status === "True" ? { error: stalled.reason } : {})
    }
  ]
}

const decodeWaiting = Schema.decodeUnknownOption(
  Schema.toType(Schema.Struct({ time: Schema.String, pod: Pod, builds: Schema.Array(NixBuild) }))
)

/**
 * The Pod's wait ends with its first Event about the NixBuild, of which each Pod gets one, also those
 * that join a NixBuild later.
 */
const podWaits = ({ applied, observed }: Run): ReadonlyArray<Phase> =>
  Option.match(decodeWaiting(observed), {
    onNone: () => [],
    onSome: ({ builds, pod, time }) => {
      const createdNames = applied.flatMap(({ action, created }) =>
        action.action === "Create" && created !== undefined ? [action.object.metadata.name] : []
      )
      const { name, uid } = pod.metadata
      const from = failedSince(pod) ?? time
      return builds
        .filter((build) =>
          createdNames.includes(
            recordedEventName({ about: pod.metadata, reason: "ImageBuilding", key: build.metadata.uid })
          )
        )
        .map((build) => {
          const { creationTimestamp = "" } = build.metadata
          return {
            name: "pod-waits",
            root: rootOf(build),
            key: [uid],
            from,
            to: creationTimestamp < from ? time : creationTimestamp,
            attributes: { "k8s.pod.name": name, "k8s.pod.uid": uid, "k8s.node.name": pod.spec.nodeName }
          }
        })
    }
  })

// When a pull failed is written nowhere. It is tried once the Pod's sandbox is there, so this is some seconds early.
const failedSince = ({ metadata, status }: Pod): string | undefined =>
  status?.conditions?.find((one) => one.type === "PodReadyToStartContainers" && one.status === "True")
    ?.lastTransitionTime ??
  status?.startTime ??
  metadata.creationTimestamp
