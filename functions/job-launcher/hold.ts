/** What keeps a step from being taken: who can't begin gives its slot back, and says why. */
import type { Action } from "../../lib/runtime/action.ts"
import { isObstacle, reasons } from "../../lib/api/reasons.ts"
import { mergeNodes, nixBuilds, type NodeStatus, nodeStatusOf } from "../../lib/api/nixbuild.ts"
import type { Refusal } from "../../lib/runtime/function.ts"
import { recordEvent, recordRefusal, refusalWords } from "../../lib/runtime/event-recorder.ts"
import { clear, hasSlot, holdImport, isObstructed, obstruct, postpone, withoutSlots } from "../../lib/nixbuild/slots.ts"
import type { Observed } from "./observe.ts"
import { type NamedStep, type Step, wait } from "./step.ts"

type World = typeof Observed.Type

/**
 * Who can't begin gives its slot back:
 *
 * | what keeps it                    | until                                                  |
 * |----------------------------------|--------------------------------------------------------|
 * | anything, of the import          | it begins; it needs no slot                            |
 * | a refusal of what was created    | its back-off is over, and there is a slot to ask again |
 * | anything else, of the build      | it is gone, which is looked at without a slot          |
 */
export const holdOf = ({ build, time }: World, step: NamedStep): ReadonlyArray<NodeStatus> => {
  const { buildJobName, message, name, reason } = step
  const hold = { node: name, reason, message, time }
  // A source that is refused will be so again, until somebody asks for a retry.
  if (buildJobName === undefined && isObstacle(reason) && reason !== "SourceRefused") {
    if (step.isBuilt === true) return [holdImport(build, hold)]
    return [step.isRefused === true ? postpone(build, hold) : obstruct(build, hold)]
  }
  const known = nodeStatusOf(build, name)
  return known !== undefined && isObstructed(known) ? [clear(known, time)] : []
}

/** What is new of it; that it goes on is said by the status. */
export const tellHold = ({ build, time }: World, node: NodeStatus): ReadonlyArray<Action> =>
  node.message !== undefined && node.reason !== nodeStatusOf(build, node.name)?.reason
    ? [
        recordEvent({
          regarding: nixBuilds,
          about: build.metadata,
          type: "Warning",
          reason: node.reason,
          message: `On ${node.name}: ${node.message}`,
          time,
          key: node.name
        })
      ]
    : []

export const heldFields = ({ build }: World, holds: ReadonlyArray<NodeStatus>) => {
  const names = holds.map(({ name }) => name)
  return holds.length === 0 ? {} : { nodes: mergeNodes(build, holds), ...withoutSlots(build, names) }
}

/** Where there was an obstacle, the slot comes before the Job. */
export const withSlot = ({ build }: World, step: NamedStep): NamedStep =>
  step.buildJobName !== undefined &&
  step.isBuilt !== true &&
  isObstructed(nodeStatusOf(build, step.name)) &&
  !hasSlot(build, step.name)
    ? { name: step.name, ...wait("NoFreeSlot", reasons.NoFreeSlot) }
    : step

/** The step as it is when the API server refuses what it creates. */
export const refused = (refusal: Refusal): Step => {
  const reason = refusal.kind === "Lease" ? "RequestRefused" : "PodRefused"
  return wait(reason, refusalWords(refusal, reason))
}

export const tellRefusal = ({ build, time }: World, refusal: Refusal): ReadonlyArray<Action> =>
  refusal.isLasting ? [recordRefusal({ regarding: nixBuilds, about: build.metadata, refusal, time })] : []
