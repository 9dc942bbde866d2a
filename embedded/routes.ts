/** The HTTP routes of the process: liveness, readiness and metrics. */
import { Effect, Layer } from "effect"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { all } from "../lib/kubernetes/question.ts"
import { Cluster } from "../lib/kubernetes/cluster.ts"
import { health, metrics } from "../lib/server/health.ts"
import { setActive } from "../lib/telemetry/nixbuild-metrics.ts"
import { WatchCache } from "../lib/runtime/watch-cache.ts"

const isComplete = Effect.flatMap(WatchCache, (cache) => cache.isComplete)

const whyNotReady = Effect.map(isComplete, (is) => (is ? undefined : "the cluster is being read"))

const measureActive = Effect.gen(function* () {
  const cluster = yield* Cluster
  // Before, nothing would be said to be active, and that is not so.
  if (yield* isComplete) yield* setActive(yield* cluster.list(all(nixBuilds)))
})

/** All of them. */
export const routes = Layer.merge(health(whyNotReady), metrics(measureActive))
