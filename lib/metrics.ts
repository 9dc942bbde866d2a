/**
 * What Prometheus is told of the functions, at `/metrics` of their process. No
 * metric has names, tags or URLs as labels: their number has no bound, and
 * they belong to tenants. `npm run generate` makes `docs/metrics.md` of this.
 */
import { Clock, DateTime, Effect, Metric, Option } from "effect"
import { phaseOf, type Reason } from "./api/condition.ts"
import { conditionsOf, type NixBuild, type System } from "./api/nixbuild.ts"
import { systems } from "./api/system.ts"
import type { CloudEvent } from "./events.ts"

/** 5 ms to 2 h: an event takes milliseconds, a build may take hours. */
export const boundaries = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200
]

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })
const histogram = (name: string, description: string) => Metric.histogram(name, { description, boundaries })

/** All there are. */
export const metrics = {
  builds: counter(
    "nixbuild_builds_total",
    "NixBuilds that ended; one that was asked for again counts again. result: Succeeded, or the reason of the failure; system: spec.system."
  ),
  queueDuration: histogram(
    "nixbuild_queue_duration_seconds",
    "From a NixBuild's creation to its first build Job: the wait for a node, a slot and a volume. Whole seconds."
  ),
  buildDuration: histogram(
    "nixbuild_build_duration_seconds",
    "From the build Job's creation to its outcome, good or bad. Whole seconds."
  ),
  importDuration: histogram(
    "nixbuild_import_duration_seconds",
    "From a build that succeeded to the image in containerd of the node that built, or to the failure of that. Whole seconds."
  ),
  eventLag: histogram(
    "nixbuild_event_lag_seconds",
    "From an event's arrival to each look at the object that it names; but not of retention, which pauses between its looks."
  ),
  sweepRepairs: counter(
    "nixbuild_sweep_repairs_total",
    "Decisions to write that no event led to, only the sweep. Now and then one is normal, since some things send no event; a steady growth says that events get lost."
  ),
  apiRequests: counter(
    "nixbuild_api_requests_total",
    "Requests to the API server. verb: GET, LIST, WATCH, POST, PATCH or DELETE; code: the HTTP status, 0 when no answer came."
  ),
  decisions: counter(
    "nixbuild_decisions_total",
    "Decisions to write. function: who decided; outcome: Done, Conflict (the object had changed, so it was decided anew), Refused (the API server does not admit what was to be created) or Failed (left to the next event or sweep)."
  ),
  events: counter(
    "nixbuild_events_total",
    "CloudEvents that arrived over HTTP, on Knative. function: whom they came to; code: the answer: 204 done, 400 no CloudEvent, 413 too large, 503 to come again."
  ),
  active: Metric.gauge("nixbuild_active", {
    description: "NixBuilds that have not ended. status: Pending, Scheduled, Building or Importing."
  })
}

/** One thing that a write to a NixBuild's status made so. */
export type Observation =
  | { readonly metric: "builds"; readonly result: "Succeeded" | Reason; readonly system: System }
  | { readonly metric: "queueDuration" | "buildDuration" | "importDuration"; readonly seconds: number }

/** Tells Prometheus of it. */
export const record = (observation: Observation): Effect.Effect<void> => {
  if (observation.metric !== "builds") return Metric.update(metrics[observation.metric], observation.seconds)
  const { result, system } = observation
  return Metric.update(Metric.withAttributes(metrics.builds, { result, system }), 1)
}

/** How a decision to write ended. */
export type Outcome = "Done" | "Conflict" | "Refused" | "Failed"

/** One decision to write, carried out or not. */
export const countDecision = (name: string, outcome: Outcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(metrics.decisions, { function: name, outcome }), 1)

/** A sweep found something to write that no event had led to. */
export const countSweepRepair: Effect.Effect<void> = Metric.update(metrics.sweepRepairs, 1)

/** To be called when the look begins that the event asks for. */
export const measureLag = Effect.fnUntraced(function* (event: CloudEvent) {
  const time = event.time === undefined ? Option.none() : DateTime.make(event.time)
  if (Option.isNone(time)) return
  const lag = (yield* Clock.currentTimeMillis) - DateTime.toEpochMillis(time.value)
  yield* Metric.update(metrics.eventLag, Math.max(0, lag) / 1000)
})

/** `code` is 0 when no answer came. */
export const countRequest = (verb: string, code: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(metrics.apiRequests, { verb, code: String(code) }), 1)

/** One CloudEvent that was answered with the HTTP status `code`. */
export const countEvent = (name: string, code: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(metrics.events, { function: name, code: String(code) }), 1)

/** Tells of each metric at 0 before anything has happened, so that the first increase is seen as one. */
export const start = Effect.gen(function* () {
  yield* Metric.update(metrics.sweepRepairs, 0)
  for (const system of systems) {
    yield* Metric.update(Metric.withAttributes(metrics.builds, { result: "Succeeded", system }), 0)
  }
  for (const name of ["queueDuration", "buildDuration", "importDuration", "eventLag"] as const) {
    yield* Metric.value(metrics[name])
  }
})

/** The gauge is set when it is asked for: between two scrapes nobody sees it. */
export const setActive = Effect.fnUntraced(function* (builds: ReadonlyArray<NixBuild>) {
  const phases = builds.map((build) => phaseOf(conditionsOf(build)))
  for (const status of ["Pending", "Scheduled", "Building", "Importing"] as const) {
    const count = phases.filter((phase) => phase === status).length
    yield* Metric.update(Metric.withAttributes(metrics.active, { status }), count)
  }
})
