/**
 * The types of a NixBuild's conditions, and the one word that `kubectl get`
 * prints.
 */
import { Schema } from "effect"
import { isTrue, makeConditionSchema } from "../kubernetes/condition.ts"
import { Reason } from "./reasons.ts"

export const ConditionType = Schema.Literals([
  "Scheduled",
  "Launched",
  "Success",
  "Complete",
  "Ready",
  "Stalled"
]).annotate({ description: "Scheduled, Launched, Success, Complete, Ready or Stalled." })
export type ConditionType = typeof ConditionType.Type

export const Condition = makeConditionSchema({ type: ConditionType, reason: Reason })
export type Condition = typeof Condition.Type

/**
 * The condition before any function has processed an object of ours: the CRD's default. Tools that wait for an object
 * (kubectl wait, Flux, Argo CD, Helm: kstatus) take one without `Ready` for finished.
 */
export const pending = {
  type: "Ready",
  status: "Unknown",
  reason: "Pending",
  message: "Waiting to be processed by the functions.",
  observedGeneration: 0,
  lastTransitionTime: "1970-01-01T00:00:00Z"
} as const satisfies Condition

export const Phase = Schema.Literals(["Pending", "Scheduled", "Building", "Importing", "Succeeded", "Failed"])
export type Phase = typeof Phase.Type

/**
 * What `kubectl get` prints under STATUS:
 *
 * | Complete | Stalled | Success | Launched | Scheduled | word      |
 * |----------|---------|---------|----------|-----------|-----------|
 * | True     | True    |         |          |           | Failed    |
 * | True     | not     |         |          |           | Succeeded |
 * | not      |         | True    |          |           | Importing |
 * | not      |         | not     | True     |           | Building  |
 * | not      |         | not     | not      | True      | Scheduled |
 * | not      |         | not     | not      | not       | Pending   |
 */
export const phaseOf = (conditions: ReadonlyArray<Condition>): Phase => {
  if (isTrue(conditions, "Complete")) return isTrue(conditions, "Stalled") ? "Failed" : "Succeeded"
  if (isTrue(conditions, "Success")) return "Importing"
  if (isTrue(conditions, "Launched")) return "Building"
  return isTrue(conditions, "Scheduled") ? "Scheduled" : "Pending"
}
