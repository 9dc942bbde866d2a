/** What the functions ask of the API server where there is no cache, as on Knative: counted in memory, one event after the other. */
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import { most, ofBuilds, ofSweep } from "../test/memory/live-requests.ts"
import type { Row } from "./row.ts"

export const readRows = Effect.gen(function* () {
  const { build, buildForPod } = yield* ofBuilds
  const sweep = yield* ofSweep
  const row = (what: string, { length }: ReadonlyArray<unknown>, limit: number): Row => ({
    what,
    unit: "requests",
    ours: [length],
    ceiling: { of: "ours", most: limit }
  })
  return [
    row("requests for a build without a cache", build, most.build),
    row("the same of a build for a Pod", buildForPod, most.buildForPod),
    row("requests of a sweep without a cache, 100 cache volumes", sweep, most.sweep)
  ]
}).pipe(Effect.orDie, Effect.provide([TestClock.layer(), Logger.layer([])]))
