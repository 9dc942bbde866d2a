/** What keeps a build from being begun: who can't begin gives its slot back, and says why. */
import { isObstacle, reasons } from "../../lib/api/reasons.ts"
import { type NodeStatus, nodeStatusOf } from "../../lib/api/nixbuild.ts"
import type { Refusal } from "../../lib/runtime/function.ts"
import { refusalWords } from "../../lib/runtime/event-recorder.ts"
import { clear, hasSlot, isObstructed, obstruct, postpone } from "../../lib/nixbuild/slots.ts"
import type { Observed } from "./observe.ts"
import { type NamedStep, type Step, wait } from "./step.ts"

type World = typeof Observed.Type

/**
 * Who can't begin gives its slot back:
 *
 * | what keeps it                    | until                                                  |
 * |----------------------------------|--------------------------------------------------------|
 * | a refusal of what was created    | its back-off is over, and there is a slot to ask again |
 * | anything else                    | it is gone, which is looked at without a slot          |
 */
export const holdOf = ({ build, time }: World, step: NamedStep): ReadonlyArray<NodeStatus> => {
  const { buildJobName, message, name, reason } = step
  const hold = { node: name, reason, message, time }
  // A source that is refused will be so again, until somebody asks for a retry.
  if (buildJobName === undefined && isObstacle(reason) && reason !== "SourceRefused") {
    return [step.isRefused === true ? postpone(build, hold) : obstruct(build, hold)]
  }
  const known = nodeStatusOf(build, name)
  return known !== undefined && isObstructed(known) ? [clear(known, time)] : []
}

/** Where there was an obstacle, the slot comes before the Job. */
export const withSlot = ({ build }: World, step: NamedStep): NamedStep =>
  step.buildJobName !== undefined &&
  step.isBegun !== true &&
  isObstructed(nodeStatusOf(build, step.name)) &&
  !hasSlot(build, step.name)
    ? { name: step.name, isBegun: false, ...wait("NoFreeSlot", reasons.NoFreeSlot) }
    : step

/** The step as it is when the API server refuses what it creates. */
export const refused = (refusal: Refusal): Step => wait("PodRefused", refusalWords(refusal, "PodRefused"))
