/**
 * On which nodes a NixBuild may have a build container, and what takes a slot
 * back: a NixBuild that does not build holds none.
 */
import { isObstacle } from "../api/reasons.ts"
import { isTrue } from "../kubernetes/condition.ts"
import {
  attemptOn,
  conditionsOf,
  isUnsettledOn,
  isWaitingForRetry,
  type NixBuild,
  type NodeStatus,
  nodeStatusOf,
  type Status,
  unsettledNodes
} from "../api/nixbuild.ts"
import { once } from "../once.ts"
import { isSourcePending } from "./source.ts"
import { secondsAfter } from "../kubernetes/time.ts"
import type { Obstacle } from "./work.ts"

/** The nodes on which it has a slot; one that an earlier version scheduled has one wherever it is wanted. */
export const slotsOf = (build: NixBuild): ReadonlyArray<string> =>
  build.status?.scheduledNodes ??
  (isTrue(conditionsOf(build), "Scheduled") && !isHeldUp(build) ? unsettledNodes(build) : [])

const isHeldUp = (build: NixBuild): boolean =>
  conditionsOf(build).some(
    ({ reason, status, type }) => type === "Launched" && status === "False" && isObstacle(reason)
  )

const asSet = once((names: ReadonlyArray<string>) => new Set(names))

export const hasSlot = (build: NixBuild, node: string): boolean => asSet(slotsOf(build)).has(node)

/** The status without the slots on these nodes. */
export const withoutSlots = (build: NixBuild, nodes: ReadonlyArray<string>): Pick<Status, "scheduledNodes"> => {
  const before = slotsOf(build)
  return before.every((name) => !nodes.includes(name))
    ? {}
    : { scheduledNodes: before.filter((name) => !nodes.includes(name)) }
}

/** The attempt there could not begin, and has not been seen to begin since. */
export const isHeld = (node: NodeStatus | undefined): node is NodeStatus => node?.waits !== undefined

/** No Job could be made for it: job-launcher asks again by itself, and needs no slot for that. */
export const isObstructed = (node: NodeStatus | undefined): boolean => isHeld(node) && node.retryTime === undefined

/** What is left there is the import, which needs no slot. */
export const isImporting = (node: NodeStatus | undefined): boolean =>
  node?.reason === "ResultSuccess" || (node?.message !== undefined && node.waits === undefined)

/** It had to wait, and does so no more. */
export const isUnderWay = ({ reason }: NodeStatus): boolean =>
  reason === "JobCreated" || reason === "NoFreeSlot" || reason === "ResultSuccess"

/** Whether the image is still to be built there: who has been built holds no slot. */
export const needsSlot = (build: NixBuild, name: string): boolean => {
  const node = nodeStatusOf(build, name)
  const isBuilt =
    node === undefined ? name === build.status?.buildNode && isTrue(conditionsOf(build), "Success") : isImporting(node)
  return isUnsettledOn(build, name) && !isBuilt
}

/** Whether it has to get a slot there now. */
export const lacksSlot = (build: NixBuild, name: string, time: string): boolean =>
  needsSlot(build, name) &&
  !hasSlot(build, name) &&
  !isSourcePending(build, name) &&
  !isObstructed(nodeStatusOf(build, name)) &&
  !isWaitingForRetry(nodeStatusOf(build, name), time)

interface Hold extends Obstacle {
  readonly node: string
  readonly time: string
}

// Each try has a Job for some time, and a slot. The last is for all that follow.
const delaysSeconds: ReadonlyArray<number> = [30, 60, 120]

/** What keeps the attempt on a node, as every status of it begins. */
const heldOn = (build: NixBuild, { message, node, reason }: Omit<Hold, "time">) => ({
  name: node,
  attempt: attemptOn(build, node),
  reason,
  message: message.slice(0, maxMessage)
})

const retriesOf = (node: NodeStatus | undefined): Pick<NodeStatus, "retries"> =>
  node?.retries === undefined ? {} : { retries: node.retries }

/** What the status says of a node where a Job was made and is called off: another attempt follows. */
export const callOffOn = (build: NixBuild, hold: Hold): NodeStatus => {
  const { node, time } = hold
  const known = nodeStatusOf(build, node)
  const waits = known?.waits ?? 0
  return {
    ...heldOn(build, hold),
    attempt: attemptOn(build, node) + 1,
    retryTime: secondsAfter(time, delaysSeconds[Math.min(waits, delaysSeconds.length - 1)] ?? 0, time),
    ...retriesOf(known),
    waits: waits + 1
  }
}

/** What it says of a node where what a Job needs was refused when it was created: to ask again takes a slot. */
export const postpone = (build: NixBuild, refused: Hold): NodeStatus => ({
  ...callOffOn(build, refused),
  attempt: attemptOn(build, refused.node)
})

/** What it says of a node that has built, and where something keeps the import from beginning. */
export const holdImport = (build: NixBuild, hold: Hold): NodeStatus => {
  const known = nodeStatusOf(build, hold.node)
  // Its words change with each try of kubelet's; what it says is one thing.
  if (known !== undefined && isImporting(known) && known.reason === hold.reason) return known
  return { ...heldOn(build, hold), retryTime: hold.time, ...retriesOf(known) }
}

/** What it says of a node where no Job can be made. Of the same obstacle it goes on saying what it said first. */
export const obstruct = (build: NixBuild, hold: Omit<Hold, "time">): NodeStatus => {
  const known = nodeStatusOf(build, hold.node)
  if (known !== undefined && isObstructed(known) && known.reason === hold.reason) return known
  return { ...heldOn(build, hold), ...retriesOf(known), waits: 1 }
}

// A status has one for each node; a webhook may say as much as it likes.
const maxMessage = 1000

/** The status of a node where an attempt that had to wait has started. */
export const begun = (known: NodeStatus): NodeStatus => {
  const { message: _, waits: __, ...rest } = known
  return { ...rest, reason: isImporting(known) ? "ResultSuccess" : "JobCreated" }
}

/** What it says of a node whose obstacle is gone: the attempt waits for a slot like any other. */
export const clear = (known: NodeStatus, time: string): NodeStatus => ({
  name: known.name,
  attempt: known.attempt,
  reason: "NoFreeSlot",
  retryTime: time,
  ...retriesOf(known)
})

/** The status of an obstructed node that the build leaves for another: nothing checks it, so it may come back later. */
export const leave = (obstructed: NodeStatus, time: string): NodeStatus => ({
  ...obstructed,
  retryTime: secondsAfter(time, delaysSeconds.at(-1) ?? 0, time)
})
