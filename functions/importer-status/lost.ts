/** Work that is under way and will never end by itself: its node is lost, or was lost for a moment too many. */
import type { Pod } from "../../lib/kubernetes/kinds.ts"
import type { Failure } from "../../lib/api/nixbuild.ts"
import { secondsBetween } from "../../lib/kubernetes/time.ts"
import { containerOf, isFinished } from "../../lib/nixbuild/work.ts"
import type { Place } from "./observe.ts"

/** Why the work on a node will not end, if there is such work. */
export const lost = (place: Place, time: string): Failure | undefined => {
  const running = [place.import, place.build].find((work) => work !== undefined && !isFinished(work))
  if (running === undefined) return undefined
  const { job, pod } = running
  const why = whyNodeIsLost(place, time)
  if (why !== undefined) {
    return { reason: "NodeLost", message: `Node ${place.name} ${why}, and with it Job ${job.metadata.name}.` }
  }
  return isForgotten(pod, time)
    ? {
        reason: "Interrupted",
        message: `Node ${place.name} went down just before it started the container of Job ${job.metadata.name}, and kubelet does not start it any more.`
      }
    : undefined
}

// As long as Kubernetes waits before it gives up the Pods of a node that is not Ready.
const lostSeconds = 300

const whyNodeIsLost = ({ node }: Place, time: string): string | undefined => {
  if (node === undefined) return "is gone"
  const ready = node.status.conditions?.find((condition) => condition.type === "Ready")
  return ready !== undefined &&
    ready.status !== "True" &&
    typeof ready.lastTransitionTime === "string" &&
    secondsBetween(ready.lastTransitionTime, time) >= lostSeconds
    ? `is not Ready since ${ready.lastTransitionTime}`
    : undefined
}

// A container starts within seconds of being created, also on a node that has just come back.
const forgottenSeconds = 60

/**
 * A container that was created and never started, without its sandbox: kubelet makes no other sandbox for a Pod that
 * is not to be restarted and has a container, so it stays Pending for ever (seen with Kubernetes 1.34).
 */
const isForgotten = (pod: Pod | undefined, time: string): boolean => {
  const { conditions = [], phase, startTime } = pod?.status ?? {}
  const container = containerOf(pod)
  return (
    phase === "Pending" &&
    startTime !== undefined &&
    secondsBetween(startTime, time) >= forgottenSeconds &&
    container?.containerID !== undefined &&
    container.state?.waiting !== undefined &&
    conditions.some(({ status, type }) => type === "PodReadyToStartContainers" && status === "False")
  )
}
