/**
 * What a write to a NixBuild's status made so, as numbers for the metrics:
 *
 * | became so               | metric                      | from                 |
 * |-------------------------|-----------------------------|----------------------|
 * | Launched=True           | queue duration              | its creation         |
 * | Success=True or False   | build duration              | Launched, or a retry |
 * | Complete=True           | import duration, if built   | Success, or a retry  |
 * | Complete=True           | builds, with their result   |                      |
 *
 * The times are those of the conditions, so they are right after a restart too.
 */
import { type Condition, type ConditionType, isTrue } from "./api/condition.ts"
import { conditionsOf, type NixBuild } from "./api/nixbuild.ts"
import type { Observation } from "./metrics.ts"
import { secondsBetween } from "./time.ts"

/** `conditions`: those that the write put in place of the ones before. */
export const observationsOf = (before: NixBuild, conditions: ReadonlyArray<Condition>): ReadonlyArray<Observation> => {
  /** The condition if this write gave it its status. */
  const became = (type: ConditionType) => {
    const now = find(conditions, type)
    return now?.status === find(conditionsOf(before), type)?.status ? undefined : now
  }
  /** Since when there was something to wait for: a retry says so by making the outcome Unknown again. */
  const beginning = (step: ConditionType, outcome: ConditionType) => {
    const [begun, unknown] = [find(conditions, step), find(conditionsOf(before), outcome)]
    if (begun?.status !== "True") return undefined
    const times = [begun, ...(unknown?.status === "Unknown" ? [unknown] : [])].map((one) => one.lastTransitionTime)
    return times.toSorted().at(-1)
  }
  const [launched, success, complete] = [became("Launched"), became("Success"), became("Complete")]
  const isFirstAttempt = (before.status?.attempt ?? 1) === 1
  return [
    ...(launched?.status === "True" && isFirstAttempt
      ? duration("queueDuration", before.metadata.creationTimestamp, launched)
      : []),
    ...(success === undefined || success.status === "Unknown"
      ? []
      : duration("buildDuration", beginning("Launched", "Success"), success)),
    ...(complete?.status === "True" && isTrue(conditions, "Success")
      ? duration("importDuration", beginning("Success", "Complete"), complete)
      : []),
    ...(complete?.status === "True" ? [ended(before, conditions)] : [])
  ]
}

const find = (conditions: ReadonlyArray<Condition>, type: ConditionType): Condition | undefined =>
  conditions.find((condition) => condition.type === type)

const duration = (
  metric: "queueDuration" | "buildDuration" | "importDuration",
  from: string | undefined,
  { lastTransitionTime }: Condition
): ReadonlyArray<Observation> =>
  // The API server's clock, which gives creation times, may be ahead of ours.
  from === undefined ? [] : [{ metric, seconds: Math.max(0, secondsBetween(from, lastTransitionTime)) }]

const ended = ({ spec: { system } }: NixBuild, conditions: ReadonlyArray<Condition>): Observation => {
  const stalled = find(conditions, "Stalled")
  return { metric: "builds", result: stalled?.status === "True" ? stalled.reason : "Succeeded", system }
}
