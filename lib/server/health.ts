/** Liveness, readiness and metrics of a process. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { start } from "../telemetry/metrics.ts"

const ok = HttpServerResponse.text("OK")

/** `whyNotReady`: what it still waits for; by default it is ready once it answers. */
export const health = <E, R>(whyNotReady: Effect.Effect<string | undefined, E, R>) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/health/liveness", Effect.succeed(ok)),
    HttpRouter.add(
      "GET",
      "/health/readiness",
      Effect.map(whyNotReady, (why) => (why === undefined ? ok : HttpServerResponse.text(why, { status: 503 })))
    )
  )

export const alwaysReady = health(Effect.succeed(undefined))

/** `before`: what has to be measured at each scrape. */
export const metrics = <E, R>(before: Effect.Effect<void, E, R>) =>
  Layer.effectDiscard(start).pipe(
    Layer.merge(
      HttpRouter.add(
        "GET",
        "/metrics",
        Effect.andThen(
          before,
          Effect.map(PrometheusMetrics.format(), (text) =>
            HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
          )
        )
      )
    )
  )
