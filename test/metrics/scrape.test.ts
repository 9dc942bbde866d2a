/** What Prometheus gets at /metrics. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { WatchCache } from "../../lib/runtime/watch-cache.ts"
import { routes } from "../../embedded/routes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { countRequest } from "../../lib/kubernetes/metrics.ts"
import { boundaries } from "../../lib/metric.ts"
import { countDecision } from "../../lib/runtime/metrics.ts"
import { countEvent } from "../../lib/runtime/arrival-metrics.ts"
import { metrics } from "../../lib/telemetry/metrics.ts"
import { record } from "../../lib/telemetry/nixbuild-metrics.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { liveCluster } from "../memory/live.ts"
import { parse, withMetrics } from "./scrape.ts"

const serve = (isComplete: boolean) => {
  const api = makeApiServer()
  const cache = Layer.succeed(WatchCache, {
    follow: () => Effect.never,
    isComplete: Effect.succeed(isComplete),
    complete: Effect.never
  })
  const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Layer.mergeAll(liveCluster(api), cache)),
    Layer.provideMerge(NodeHttpServer.layerTest)
  )
  return { api, server }
}

const scrape = Effect.gen(function* () {
  const response = yield* HttpClient.get("/metrics")
  assert.strictEqual(response.status, 200)
  assert.strictEqual(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
  return parse(yield* response.text)
})

describe("/metrics", () => {
  it.effect("has every metric with its HELP and TYPE, before anything has happened", () => {
    const { server } = serve(true)
    return Effect.gen(function* () {
      yield* countRequest("GET", 200)
      yield* countDecision("scheduler", "Done")
      yield* countEvent("scheduler", 204)
      const families = yield* scrape
      assert.sameMembers(
        [...families.keys()],
        Object.values(metrics).map(({ id }) => id)
      )
      for (const { description, id, type } of Object.values(metrics)) {
        assert.strictEqual(families.get(id)?.help, description)
        assert.strictEqual(families.get(id)?.type, type.toLowerCase())
        assert.isNotEmpty([...(families.get(id)?.samples ?? [])], id)
      }
    }).pipe(Effect.provide(server), withMetrics)
  })

  it.effect("has buckets that add up, from 5 ms to 2 h", () => {
    const { server } = serve(true)
    return Effect.gen(function* () {
      for (const seconds of [0, 0.005, 60, 61, 7200, 10_000]) yield* record({ metric: "buildDuration", seconds })
      const samples = (yield* scrape).get("nixbuild_build_duration_seconds")?.samples
      const below = (le: number | string) => samples?.get(`nixbuild_build_duration_seconds_bucket{le="${le}"}`)
      const counts = boundaries.map(below)
      assert.deepStrictEqual(
        counts,
        boundaries.map((boundary) => (boundary < 60 ? 2 : boundary < 120 ? 3 : boundary < 7200 ? 4 : 5))
      )
      assert.deepStrictEqual([boundaries[0], boundaries.at(-1)], [0.005, 7200])
      assert.strictEqual(below("+Inf"), 6)
      assert.strictEqual(samples?.get("nixbuild_build_duration_seconds_count"), 6)
      assert.strictEqual(samples?.get("nixbuild_build_duration_seconds_sum"), 17_321.005)
    }).pipe(Effect.provide(server), withMetrics)
  })

  it.effect("has the NixBuilds that are active now, by status", () => {
    const { api, server } = serve(true)
    const create = (name: string, conditions: ReadonlyArray<object>) =>
      api.objects.create({
        apiVersion: nixBuilds.apiVersion,
        kind: "NixBuild",
        metadata: { name, namespace: "apps" },
        spec: { flakeUrl: "github:a/b", imageTag: "a:1", packageName: "a", system: "x86_64-linux" },
        status: { conditions }
      })
    const is = (type: string, reason: string) => ({
      type,
      status: "True",
      reason,
      message: "",
      observedGeneration: 1,
      lastTransitionTime: "1970-01-01T00:00:00Z"
    })
    return Effect.gen(function* () {
      yield* create("waits", [])
      yield* create("builds", [is("Scheduled", "NodeFound"), is("Launched", "JobCreated")])
      yield* create("builds-too", [is("Launched", "JobCreated")])
      yield* create("ended", [is("Complete", "BuildFinished")])
      const active = (yield* scrape).get("nixbuild_active")
      assert.deepStrictEqual(Object.fromEntries(active?.samples ?? []), {
        'nixbuild_active{status="Pending"}': 1,
        'nixbuild_active{status="Scheduled"}': 0,
        'nixbuild_active{status="Building"}': 2,
        'nixbuild_active{status="Importing"}': 0
      })
      api.objects.objects.clear()
      const later = (yield* scrape).get("nixbuild_active")
      assert.deepStrictEqual([...(later?.samples.values() ?? [])], [0, 0, 0, 0])
    }).pipe(Effect.provide(server), withMetrics)
  })

  it.effect("does not say that nothing is active while the cluster is being read", () => {
    const { server } = serve(false)
    return Effect.gen(function* () {
      assert.isFalse((yield* scrape).has("nixbuild_active"))
    }).pipe(Effect.provide(server), withMetrics)
  })
})
