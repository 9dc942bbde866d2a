/** The metrics of reconciliations, of any kind of object. */
import { Clock, DateTime, Effect, Metric, Option } from "effect"
import type { CloudEvent } from "./events.ts"
import { counter, histogram } from "../metric.ts"
import type { Outcome } from "./observers.ts"

export const eventLag = histogram(
  "nixbuild_event_lag_seconds",
  "From an event's arrival to the moment a function processes its object; without retention, which pauses on purpose."
)

export const sweepRepairs = counter(
  "nixbuild_sweep_repairs_total",
  "Writes that the sweep caused because no event had. A few are normal, since some changes send no event; steady growth means that events get lost."
)

export const decisions = counter(
  "nixbuild_decisions_total",
  "Decisions that wrote something. function: the function; outcome: Done, Conflict (the object had changed; decided again), Refused (the API server rejected the write) or Failed (left to the next event or sweep)."
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
