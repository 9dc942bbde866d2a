/**
 * `Ready`, computed from the rest of a NixBuild's status with every write. Tools
 * that wait for an object read nothing else (kubectl wait, Flux, Argo CD, Helm:
 * kstatus).
 *
 * | what is so                                 | Ready   | its words          |
 * |--------------------------------------------|---------|--------------------|
 * | a node has the image                       | True    | which              |
 * | the registry has it                        | True    | so                 |
 * | Stalled                                    | False   | Stalled's          |
 * | not Scheduled or not Launched: an obstacle | False   | that condition's   |
 * | the same, and it only waits                | Unknown | that condition's   |
 * | the next Job there cannot begin            | False   | the node's         |
 * | the attempt before failed                  | False   | the failure's      |
 * | it was built, and no node has it now       | False   | the node's reason  |
 * | none of these                              | Unknown | how far it is      |
 */
import { Predicate } from "effect"
import type { Condition } from "../api/nixbuild-condition.ts"
import { isObstacle, type Reason, reasons } from "../api/reasons.ts"
import { conditionOf, type ConditionUpdate, isTrue } from "../kubernetes/condition.ts"
import type { Status } from "../api/nixbuild.ts"

/** A status, with null for what a write removes. */
type StatusFields = { readonly [K in "buildNode" | "failure" | "nodes"]?: Status[K] | null } & {
  readonly conditions: ReadonlyArray<Condition>
}

export const readinessOf = ({ buildNode, conditions, failure, nodes }: StatusFields): Ready => {
  if (nodes?.some(({ reason }) => reason === "ImagePublished") === true) {
    return ready("True", { reason: "ImagePublished", message: "The registry has the image." })
  }
  const have = (nodes ?? []).filter((node) => node.importedTime !== undefined).map((node) => node.name)
  if (have.length > 0) return ready("True", { reason: "Imported", message: `The image is on ${have.join(", ")}.` })
  const stalled = conditionOf(conditions, "Stalled")
  if (stalled?.status === "True") return ready("False", stalled)
  const held = conditions.find(({ status, type }) => (type === "Scheduled" || type === "Launched") && status !== "True")
  if (held !== undefined) {
    return ready(Predicate.isNotNullish(failure) || isObstacle(held.reason) ? "False" : "Unknown", held)
  }
  const waiting = nodes?.find(({ message, name }) => message !== undefined && name === buildNode)
  if (waiting?.message !== undefined) return ready("False", { reason: waiting.reason, message: waiting.message })
  if (Predicate.isNotNullish(failure)) return ready("False", failure)
  const missing = isTrue(conditions, "Complete")
    ? (nodes?.find(({ name }) => name === buildNode) ?? nodes?.[0])
    : undefined
  if (missing !== undefined) return ready("False", { reason: missing.reason, message: reasons[missing.reason] })
  const done = conditions.findLast(({ status, type }) => status === "True" && type !== "Ready")
  return ready("Unknown", { reason: "Progressing", message: done?.message ?? reasons.Progressing })
}

type Ready = ConditionUpdate<"Ready", Reason>

const ready = (status: Ready["status"], { message, reason }: Pick<Ready, "message" | "reason">): Ready => ({
  type: "Ready",
  status,
  reason,
  message
})
