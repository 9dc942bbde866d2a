/**
 * A Job whose container Kubernetes does not start. A build Job is called off,
 * so that its slot is free for others, and tried again as another attempt. An
 * import Job has no slot and stays, since its build need not be done again.
 */
import { type Action, referTo } from "../../lib/runtime/action.ts"
import { reasons } from "../../lib/api/reasons.ts"
import { type NixBuild, type NodeStatus, nodeStatusOf } from "../../lib/api/nixbuild.ts"
import { begun, callOffOn, holdImport, isHeld, isImporting, isObstructed } from "../../lib/nixbuild/slots.ts"
import { hasStarted, isFinished, obstacleOf } from "../../lib/nixbuild/work.ts"
import type { Place } from "./observe.ts"
import { jobs } from "../../lib/kubernetes/kinds.ts"

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
    const hasBegun = hasStarted(isImporting(known) ? place.import?.pod : work?.pod)
    // job-launcher tells of its own obstacles.
    const isOurs = (isImporting(known) && known?.message !== undefined) || (isHeld(known) && !isObstructed(known))
    return known !== undefined && isOurs && hasBegun ? [begun(known)] : []
  }
  const { reason } = obstacle
  const message = `${reasons[reason]} ${obstacle.message}`
  const held = { node: name, reason, message, time }
  if (place.import === undefined || isFinished(work)) return [callOffOn(build, held)]
  const waiting = holdImport(build, held)
  return waiting === known ? [] : [waiting]
}

/** Removes the Jobs of an attempt that is called off, unless something ran in them. */
export const callOff = (places: ReadonlyArray<Place>, settled: ReadonlyArray<NodeStatus>): ReadonlyArray<Action> =>
  places
    .filter(({ name }) => settled.some((node) => node.name === name && isHeld(node)))
    .flatMap((place) => [place.build, place.import])
    .flatMap((work) =>
      work === undefined || work.job.metadata.deletionTimestamp !== undefined || hasStarted(work.pod) ? [] : [work.job]
    )
    .map((job) => ({ action: "Delete", why: "Its container never started", target: referTo(jobs, job) }))
