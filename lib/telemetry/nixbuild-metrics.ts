/**
 * What is counted and measured of NixBuilds: what a write to a status made so,
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
import { Effect, Metric } from "effect"
import { type Condition, type ConditionType, phaseOf } from "../api/nixbuild-condition.ts"
import type { Reason } from "../api/reasons.ts"
import { conditionOf, isTrue } from "../kubernetes/condition.ts"
import { conditionsOf, type NixBuild, type System } from "../api/nixbuild.ts"
import { systems } from "../api/system.ts"
import { counter, histogram } from "../metric.ts"
import { secondsBetween } from "../kubernetes/time.ts"
import { type StatusWrite } from "./nixbuild-changes.ts"

export const nixBuildMetrics = {
  builds: counter(
    "nixbuild_builds_total",
    "NixBuilds that ended; each requested retry counts again. result: Succeeded, or the reason of the failure; system: spec.system."
  ),
  queueDuration: histogram(
    "nixbuild_queue_duration_seconds",
    "From a NixBuild's creation to its first build Job: the wait for a node, a slot and a volume. Resolution: 1 s."
  ),
  buildDuration: histogram(
    "nixbuild_build_duration_seconds",
    "From the build Job's creation to its outcome, good or bad. Resolution: 1 s."
  ),
  importDuration: histogram(
    "nixbuild_import_duration_seconds",
    "From the build's success until the build node's containerd has the image, or the import failed. Resolution: 1 s."
  )
}

export const active = Metric.gauge("nixbuild_active", {
  description: "NixBuilds that have not ended. status: Pending, Scheduled, Building or Importing."
})

/** One thing that a write to a NixBuild's status made so. */
export type Observation =
  | { readonly metric: "builds"; readonly result: "Succeeded" | Reason; readonly system: System }
  | { readonly metric: "queueDuration" | "buildDuration" | "importDuration"; readonly seconds: number }

export const record = (observation: Observation): Effect.Effect<void> => {
  if (observation.metric !== "builds") return Metric.update(nixBuildMetrics[observation.metric], observation.seconds)
  const { result, system } = observation
  return Metric.update(Metric.withAttributes(nixBuildMetrics.builds, { result, system }), 1)
}

/** At 0 before anything has happened, so that the first increase is seen as one. */
export const startNixBuildMetrics = Effect.gen(function* () {
  for (const system of systems) {
    yield* Metric.update(Metric.withAttributes(nixBuildMetrics.builds, { result: "Succeeded", system }), 0)
  }
  for (const name of ["queueDuration", "buildDuration", "importDuration"] as const) {
    yield* Metric.value(nixBuildMetrics[name])
  }
})

/** The gauge is set at each scrape; its value between two scrapes does not matter. */
export const setActive = Effect.fnUntraced(function* (builds: ReadonlyArray<NixBuild>) {
  const phases = builds.map((build) => phaseOf(conditionsOf(build)))
  for (const status of ["Pending", "Scheduled", "Building", "Importing"] as const) {
    const count = phases.filter((phase) => phase === status).length
    yield* Metric.update(Metric.withAttributes(active, { status }), count)
  }
})

export const observationsOf = ({
  became,
  before,
  written: { conditions }
}: StatusWrite): ReadonlyArray<Observation> => {
  /** Since when there was something to wait for: a retry says so by making the outcome Unknown again. */
  const beginning = (step: ConditionType, outcome: ConditionType) => {
    const [begun, unknown] = [conditionOf(conditions, step), conditionOf(conditionsOf(before), outcome)]
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

const duration = (
  metric: "queueDuration" | "buildDuration" | "importDuration",
  from: string | undefined,
  { lastTransitionTime }: Condition
): ReadonlyArray<Observation> =>
  // The API server's clock, which gives creation times, may be ahead of ours.
  from === undefined ? [] : [{ metric, seconds: Math.max(0, secondsBetween(from, lastTransitionTime)) }]

const ended = ({ spec: { system } }: NixBuild, conditions: ReadonlyArray<Condition>): Observation => {
  const stalled = conditionOf(conditions, "Stalled")
  return { metric: "builds", result: stalled?.status === "True" ? stalled.reason : "Succeeded", system }
}
