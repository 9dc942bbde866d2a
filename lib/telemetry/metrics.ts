/** Every metric at `/metrics` of a process: `npm run generate` makes the documentation's table of this. */
import { Effect, Metric } from "effect"
import { apiRequests } from "../kubernetes/metrics.ts"
import { decisions, eventLag, sweepRepairs } from "../runtime/metrics.ts"
import { arrivedEvents } from "../runtime/arrival-metrics.ts"
import { active, nixBuildMetrics, startNixBuildMetrics } from "./nixbuild-metrics.ts"

export const metrics = {
  ...nixBuildMetrics,
  eventLag,
  sweepRepairs,
  apiRequests,
  decisions,
  events: arrivedEvents,
  active
}

/** Reports each metric as 0 before anything has happened, so that the first increase is seen as one. */
export const start = Effect.gen(function* () {
  yield* Metric.update(sweepRepairs, 0)
  yield* Metric.value(eventLag)
  yield* startNixBuildMetrics
})
