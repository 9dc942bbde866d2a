/**
 * A Job whose container Kubernetes does not start. A build Job is called off,
 * so that its slot is free for others, and tried again as another attempt. An
 * import Job has no slot and stays, since its build need not be done again.
 */
import { type Action, referTo } from "../../lib/action.ts"
import { reasons } from "../../lib/api/condition.ts"
import { attemptOn, type NixBuild, type NodeStatus, nodeStatusOf } from "../../lib/api/nixbuild.ts"
import { begun, callOffOn, isHeld, isImporting, isObstructed } from "../../lib/slots.ts"
import { hasStarted, isFinished, obstacleOf } from "../../lib/work.ts"
import type { Place } from "./observe.ts"

interface At {
  readonly build: NixBuild
  readonly time: string
}

/** What is newly known of a node where a Job waits, or waited and has begun. */
export const waitingAt = ({ build, time }: At, place: Place): ReadonlyArray<NodeStatus> => {
  const { name } = place
  const known = nodeStatusOf(build, name)
  const work = place.import ?? place.build
  const obstacle = work === undefined ? undefined : obstacleOf(work, time)
  if (work === undefined || obstacle === undefined) {
    const hasBegun = isImporting(known)
      ? place.import === undefined || hasStarted(place.import.pod)
      : hasStarted(work?.pod)
    // job-launcher tells of its own obstacles.
    const isOurs = isImporting(known) || (isHeld(known) && !isObstructed(known))
    return known !== undefined && isOurs && hasBegun ? [begun(known)] : []
  }
  const { reason } = obstacle
  const message = `${reasons[reason]} Job ${work.job.metadata.name}: ${obstacle.message}`
  if (place.import === undefined || isFinished(work)) {
    return [callOffOn(build, { node: name, reason, message, time })]
  }
  // Its words change with each try of kubelet's; what it says is one thing.
  return isImporting(known) && known?.reason === reason
    ? []
    : [
        {
          name,
          attempt: attemptOn(build, name),
          reason,
          message,
          retryTime: time,
          ...(known?.retries === undefined ? {} : { retries: known.retries })
        }
      ]
}

/** Removes the Jobs of an attempt that is called off: nothing ran in them. */
export const callOff = (places: ReadonlyArray<Place>, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<Action> =>
  places
    .filter(({ name }) => settled.some((node) => node.name === name && isHeld(node)))
    .flatMap((place) => [place.build, place.import])
    .flatMap((work) => (work === undefined || work.job.metadata.deletionTimestamp !== undefined ? [] : [work.job]))
    .map((job) => ({ action: "Delete", why: "Its container never started", target: referTo("Job", job) }))
