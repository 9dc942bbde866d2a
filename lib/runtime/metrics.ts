/** What the runs of functions are counted by, whatever they are about. */
import { Clock, DateTime, Effect, Metric, Option } from "effect"
import type { CloudEvent } from "./events.ts"
import { counter, histogram } from "../metric.ts"
import type { Outcome } from "./observers.ts"

export const eventLag = histogram(
  "nixbuild_event_lag_seconds",
  "From an event's arrival to each look at the object that it names; but not of retention, which pauses between its looks."
)

export const sweepRepairs = counter(
  "nixbuild_sweep_repairs_total",
  "Decisions to write that no event led to, only the sweep. Now and then one is normal, since some things send no event; a steady growth says that events get lost."
)

export const decisions = counter(
  "nixbuild_decisions_total",
  "Decisions to write. function: who decided; outcome: Done, Conflict (the object had changed, so it was decided anew), Refused (the API server does not admit what was to be created) or Failed (left to the next event or sweep)."
)

/** One decision to write, carried out or not. */
export const countDecision = (name: string, outcome: Outcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(decisions, { function: name, outcome }), 1)

/** A sweep found something to write that no event had led to. */
export const countSweepRepair: Effect.Effect<void> = Metric.update(sweepRepairs, 1)

/** To be called when the look begins that the event asks for. */
export const measureLag = Effect.fnUntraced(function* (event: CloudEvent) {
  const time = event.time === undefined ? Option.none() : DateTime.make(event.time)
  if (Option.isNone(time)) return
  const lag = (yield* Clock.currentTimeMillis) - DateTime.toEpochMillis(time.value)
  yield* Metric.update(eventLag, Math.max(0, lag) / 1000)
})
