/**
 * A Job of ours with its Pod, and what Kubernetes says of them from creation
 * until our container starts. Other people's containers in the Pod (a mesh's
 * proxy) say nothing of how the work went.
 */
import { Schema } from "effect"
import type { Reason } from "../api/reasons.ts"
import { isFailed, isSucceeded, Job, Pod, Report } from "../kubernetes/kinds.ts"
import { programs } from "./job-contract.ts"
import { secondsBetween } from "../kubernetes/time.ts"

const optional = Schema.optionalKey

export const Work = Schema.Struct({
  job: Job,
  pod: optional(Pod),
  /** The newest Event about the Pod, or about the Job while it has none; only read while the Pod does not start. */
  report: optional(Report),
  /** Since when this process has seen it not start. */
  waitingSince: optional(Schema.String)
})
export type Work = typeof Work.Type

export interface Obstacle {
  readonly reason: Reason
  /** In the words of Kubernetes. */
  readonly message: string
}

// Also those of the volume Jobs: each Pod of ours has one of them.
const ours: ReadonlyArray<string> = Object.values(programs)

/** The container that does the work; a webhook may have added others. */
export const containerOf = (pod: Pod | undefined) =>
  pod?.status?.containerStatuses?.find(({ name }) => ours.includes(name))

// containerd's and kubelet's words for a container that could not be started at all.
const neverRan: ReadonlyArray<string | undefined> = ["StartError", "ContainerCannotRun"]

/** How our container ended, if it ran. */
export const terminatedOf = (pod: Pod | undefined) => {
  const terminated = containerOf(pod)?.state?.terminated
  return neverRan.includes(terminated?.reason) ? undefined : terminated
}

/** Since when our container runs, where that is longer than it may. */
export const overrunSince = (
  pod: Pod | undefined,
  { limitSeconds, time }: { readonly limitSeconds: number; readonly time: string }
): string | undefined => {
  const startedAt = containerOf(pod)?.state?.running?.startedAt ?? undefined
  return startedAt !== undefined && secondsBetween(startedAt, time) > limitSeconds ? startedAt : undefined
}

export const hasStarted = (pod: Pod | undefined): boolean =>
  containerOf(pod)?.state?.running !== undefined || terminatedOf(pod) !== undefined

/** Kubernetes has ended the Pod, or never let it begin. */
export const isOver = ({ status }: Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed"

// Said of Pods that ran as well, and not always with what became of their containers.
const endedFromOutside: ReadonlyArray<string | undefined> = ["Evicted", "NodeShutdown", "Preempting", "Terminated"]

/** Kubernetes ended the Pod before our container ran. */
export const hasNeverRun = (pod: Pod): boolean =>
  isOver(pod) && !hasStarted(pod) && !endedFromOutside.includes(pod.status?.reason)

/** Some container of it runs, ours or another's. */
export const runs = (pod: Pod): boolean =>
  !isOver(pod) && (pod.status?.containerStatuses ?? []).some(({ state }) => state?.running !== undefined)

export const isFinished = ({ job }: Pick<Work, "job">): boolean => isSucceeded(job) || isFailed(job)

/** Our container has ended well, whatever else still runs in its Pod. */
export const endedWell = ({ job, pod }: Pick<Work, "job" | "pod">): boolean =>
  isSucceeded(job) || terminatedOf(pod)?.exitCode === 0

// Long enough for what passes by itself while a Pod begins, short enough that people hear of it within a minute.
const patienceSeconds = 15

// A large image may take long; after this, something is wrong that nothing reports.
const silenceSeconds = 300

/** Whether it is time to ask why our container has not started. */
export const isSlowToStart = ({ job, pod }: Pick<Work, "job" | "pod">, time: string): boolean =>
  !hasStarted(pod) && job.metadata.deletionTimestamp === undefined && ageOf(job, time) >= patienceSeconds

const ageOf = ({ metadata }: Job, time: string): number => secondsBetween(metadata.creationTimestamp ?? time, time)

/**
 * What keeps our container from starting, if it should have started by now:
 *
 * | who says so                            | reason              |
 * |----------------------------------------|---------------------|
 * | the Job is suspended                   | JobSuspended        |
 * | kubelet or a container ended the Pod   | PodNotStarted       |
 * | the scheduler                          | PodUnschedulable    |
 * | kubelet, of the image of any container | PodImageUnavailable |
 * | kubelet, of any container              | PodNotStarted       |
 * | the newest Event, of the Job           | PodRefused          |
 * | the newest Event, of the Pod           | PodNotStarted       |
 * | nothing, for five minutes              | PodNotStarted       |
 */
export const obstacleOf = (work: Work, time: string): Obstacle | undefined => {
  const { job, pod } = work
  if (pod !== undefined && hasNeverRun(pod)) return notStarted(wordsOfEnd(pod))
  if (isFinished(work) || !isSlowToStart(work, time)) return undefined
  if (job.spec?.suspend === true) return { reason: "JobSuspended", message: "The Job has spec.suspend: true." }
  const said = pod === undefined ? undefined : (unscheduled(pod) ?? heldContainer(pod))
  if (said !== undefined) return said
  const { report } = work
  if (report?.type === "Warning") {
    const message = report.message ?? report.reason ?? ""
    return pod === undefined ? { reason: "PodRefused", message } : notStarted(message)
  }
  if (work.waitingSince === undefined || secondsBetween(work.waitingSince, time) < silenceSeconds) return undefined
  const what = pod === undefined ? "It has no Pod" : "Its Pod has not started"
  return notStarted(`${what} after ${silenceSeconds} s, and Kubernetes gives no reason.`)
}

const notStarted = (message: string): Obstacle => ({ reason: "PodNotStarted", message })

const unscheduled = ({ status }: Pod): Obstacle | undefined => {
  const condition = status?.conditions?.find((one) => one.type === "PodScheduled" && one.status === "False")
  return condition === undefined
    ? undefined
    : { reason: "PodUnschedulable", message: condition.message ?? condition.reason ?? "The Pod is not scheduled." }
}

// Those that keep ours from running, in the order in which kubelet starts them.
const allContainersOf = ({ status }: Pod) => [
  ...(status?.initContainerStatuses ?? []),
  ...(status?.containerStatuses ?? [])
]

// While all goes well. PodInitializing is said of the main containers while an init container runs or waits.
const onItsWay: ReadonlyArray<string | undefined> = [undefined, "ContainerCreating", "PodInitializing"]

const aboutImage = /image/iu

const heldContainer = (pod: Pod): Obstacle | undefined => {
  const held = allContainersOf(pod).find(
    ({ state }) => state?.waiting !== undefined && !onItsWay.includes(state.waiting.reason)
  )
  const { message = "", reason = "" } = held?.state?.waiting ?? {}
  return held === undefined
    ? undefined
    : {
        reason: aboutImage.test(reason) ? "PodImageUnavailable" : "PodNotStarted",
        message: `Container ${held.name}: ${reason}${message === "" ? "" : `: ${message}`}`
      }
}

/** It is being started, and nothing says that it cannot. */
export const isOnItsWay = (pod: Pod): boolean =>
  !isOver(pod) && !hasStarted(pod) && unscheduled(pod) === undefined && heldContainer(pod) === undefined

/** Why the Pod ended before our container ran. */
const wordsOfEnd = (pod: Pod): string => {
  const { message, reason } = pod.status ?? {}
  const failed = allContainersOf(pod).find(
    ({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0
  )
  const ended = failed?.state?.terminated
  const container =
    ended === undefined
      ? undefined
      : `container ${failed?.name} exited with code ${ended.exitCode}${ended.reason === undefined ? "" : ` (${ended.reason})`}${ended.message === undefined ? "" : `: ${ended.message}`}`
  const words = [reason, message ?? container].filter((word) => word !== undefined).join(": ")
  return `Its Pod was terminated before it started: ${words === "" ? "no reason was given" : words}`
}
