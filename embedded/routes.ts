/** What the process answers over HTTP: whether it lives, whether it is ready, and what Prometheus asks for. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { all } from "../lib/api/question.ts"
import { Cluster } from "../lib/cluster.ts"
import { setActive, start } from "../lib/metrics.ts"
import { WatchCache } from "./cache.ts"

const health = Layer.mergeAll(
  HttpRouter.add("GET", "/health/liveness", Effect.succeed(HttpServerResponse.text("OK"))),
  HttpRouter.add(
    "GET",
    "/health/readiness",
    Effect.gen(function* () {
      const cache = yield* WatchCache
      return (yield* cache.isComplete)
        ? HttpServerResponse.text("OK")
        : HttpServerResponse.text("the cluster is being read", { status: 503 })
    })
  )
)

const metrics = Layer.effectDiscard(start).pipe(
  Layer.merge(
    HttpRouter.add(
      "GET",
      "/metrics",
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const cache = yield* WatchCache
        // Before, nothing would be said to be active, and that is not so.
        if (yield* cache.isComplete) yield* setActive(yield* cluster.list(all(nixBuilds)))
        return HttpServerResponse.text(yield* PrometheusMetrics.format(), {
          contentType: "text/plain; version=0.0.4; charset=utf-8"
        })
      })
    )
  )
)

/** All of them. */
export const routes = Layer.merge(health, metrics)
