/** What a run counts: decisions by how they ended, sweeps that found something, and each step of a NixBuild once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Action } from "../../lib/runtime/action.ts"
import { NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, sweepType } from "../../lib/runtime/events.ts"
import type { EnbiFunction, Reads } from "../../lib/runtime/function.ts"
import { patchStatus } from "../../lib/nixbuild/status.ts"
import { reconcile } from "../../lib/runtime/reconcile.ts"
import { Settings } from "../../lib/api/settings.ts"
import * as Telemetry from "../../lib/telemetry/observers.ts"
import { type ApiServer, makeApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import { liveCluster } from "../memory/live.ts"
import { counted, withMetrics } from "./scrape.ts"

const event: CloudEvent = { specversion: "1.0", id: "1", source: "test", type: "test" }
const sweepEvent: CloudEvent = { ...event, type: sweepType }
const subject = { kind: "NixBuild", namespace: "apps", name: "a" }
const target = { kind: "NixBuild", namespace: "apps", name: "a" }

/** A function that looks at the NixBuild and decides; `after` happens between its look and its write. */
const launcher = (
  decide: (build: NixBuild) => ReadonlyArray<Action<string>>,
  after: Reads<unknown> = Effect.void
): EnbiFunction<NixBuild> => ({
  name: "launcher",
  on: [],
  permissions: [],
  mapEvent: () => Effect.succeed([subject]),
  observe: (about) => Effect.flatMap(Cluster, (cluster) => cluster.get(nixBuilds, about)).pipe(Effect.tap(() => after)),
  Observed: Schema.toCodecJson(NixBuild),
  decide
})

const launch = (build: NixBuild) =>
  patchStatus(build, {
    why: "a test",
    time: "1970-01-01T00:00:20Z",
    conditions: [{ type: "Launched", status: "True", reason: "JobCreated", message: "" }]
  })

/** Over an API server with one NixBuild, created at second 0. */
const story = <A, E>(tell: (api: ApiServer) => Effect.Effect<A, E, Cluster | Settings>) => {
  const api = makeApiServer()
  return api.objects
    .create({
      apiVersion: "enbi.hrzn.ee/v1alpha1",
      kind: "NixBuild",
      metadata: { name: "a", namespace: "apps" },
      spec: { flakeUrl: "github:a/b", imageTag: "a:1", packageName: "a", system: "x86_64-linux" }
    })
    .pipe(
      Effect.andThen(tell(api)),
      Effect.provide(
        Layer.mergeAll(liveCluster(api), Layer.succeed(Settings, settings), Telemetry.layer, Logger.layer([]))
      ),
      withMetrics
    )
}

const queued = { nixbuild_queue_duration_seconds_sum: 20, nixbuild_queue_duration_seconds_count: 1 }
const done = 'nixbuild_decisions_total{function="launcher",outcome="Done"}'

describe("a run", () => {
  it.effect("that had nothing to write counts nothing, a sweep's neither", () =>
    story(() =>
      Effect.gen(function* () {
        const idle = launcher(() => [])
        yield* reconcile(idle, event, subject)
        yield* reconcile(idle, sweepEvent, subject)
        assert.deepStrictEqual(yield* counted, {})
      })
    )
  )

  it.effect("by an event counts its decision and the step, and no repair", () =>
    story(() =>
      Effect.gen(function* () {
        yield* reconcile(launcher(launch), event, subject)
        assert.deepStrictEqual(yield* counted, { [done]: 1, ...queued })
      })
    )
  )

  it.effect("by a sweep that wrote is a repair; the next one is not", () =>
    story(() =>
      Effect.gen(function* () {
        yield* reconcile(launcher(launch), sweepEvent, subject)
        yield* reconcile(launcher(launch), sweepEvent, subject)
        assert.deepStrictEqual(yield* counted, { [done]: 1, nixbuild_sweep_repairs_total: 1, ...queued })
      })
    )
  )

  it.effect("that met a newer object counts the step once", () =>
    story((api) =>
      Effect.gen(function* () {
        let looks = 0
        const others = Effect.suspend(() => {
          looks += 1
          return looks === 1 ? api.objects.patch(target, { spec: { nodes: ["one"] } }) : Effect.void
        })
        const fiber = yield* Effect.forkChild(reconcile(launcher(launch, others), event, subject))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        const conflict = 'nixbuild_decisions_total{function="launcher",outcome="Conflict"}'
        assert.deepStrictEqual(yield* counted, { [conflict]: 1, [done]: 1, ...queued })
      })
    )
  )

  it.effect("whose write failed counts no step and no repair", () =>
    story((api) =>
      Effect.gen(function* () {
        api.fate.faultOf = ({ write }) => (write === undefined ? undefined : "lost")
        yield* Effect.flip(reconcile(launcher(launch), sweepEvent, subject))
        assert.deepStrictEqual(yield* counted, {
          'nixbuild_decisions_total{function="launcher",outcome="Failed"}': 1
        })
      })
    )
  )

  it.effect("measures how late it is, and takes a time that is none for none", () =>
    story(() =>
      Effect.gen(function* () {
        const idle = launcher(() => [])
        yield* TestClock.adjust("3 seconds")
        yield* reconcile(idle, { ...event, time: "1970-01-01T00:00:01.500Z" }, subject)
        yield* reconcile(idle, { ...event, time: "1970-01-01T00:00:09Z" }, subject)
        yield* reconcile(idle, { ...event, time: "soon" }, subject)
        assert.deepStrictEqual(yield* counted, {
          nixbuild_event_lag_seconds_sum: 1.5,
          nixbuild_event_lag_seconds_count: 2
        })
      })
    )
  )
})
