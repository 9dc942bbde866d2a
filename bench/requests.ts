/** What the functions ask of the API server: for a build, and while nothing happens. Watches are not counted, they stay. */
import { Effect } from "effect"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { makeNamespace } from "../test/cluster/kubectl.ts"
import { functionsSamples, sumOf } from "../test/cluster/metrics.ts"
import { watch } from "../test/cluster/watch.ts"
import { jobsAreGone, timeBuild } from "./cluster.ts"
import type { Row } from "./row.ts"

const builds = 5
const ns = "bench-requests"

const requests = Effect.map(functionsSamples, (samples) =>
  sumOf(samples, "nixbuild_api_requests_total", ({ verb }) => verb !== "WATCH")
)

/** How many there are from before `self` until after. */
const during = Effect.fnUntraced(function* <E, R>(self: Effect.Effect<unknown, E, R>) {
  const before = yield* requests
  yield* self
  return (yield* requests) - before
})

export const requestRows = Effect.fn("requestRows")(function* () {
  yield* makeNamespace(ns)
  const changes = yield* watch(nixBuilds)
  const build = (name: string) => Effect.andThen(timeBuild({ namespace: ns, name }, {}, changes), jobsAreGone(ns))
  // The first prepares the volume.
  yield* build("warm-up")
  const counts: Array<number> = []
  for (let round = 0; round < builds; round++) counts.push(yield* during(build(`build-${round}`)))
  // A minute is two sweeps.
  const idle = yield* during(Effect.sleep("1 minute"))
  const rows: ReadonlyArray<Row> = [
    {
      what: "requests to the API server for a build",
      unit: "requests",
      ours: counts,
      ceiling: { of: "ours", most: 20 }
    },
    { what: "requests in an idle minute", unit: "requests", ours: [idle], ceiling: { of: "ours", most: 0 } }
  ]
  return rows
}, Effect.scoped)
