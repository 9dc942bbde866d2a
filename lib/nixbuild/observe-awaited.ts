/** The images that Pods wait for, as a sweep looks for them. */
import { Clock, Effect } from "effect"
import { Cluster } from "../kubernetes/cluster.ts"
import { podsWaiting, podsWaitingInAnyPhase } from "./object-questions.ts"
import { awaitedImages } from "./waiting-pods.ts"

// A Pod that has run and lost its image is not Pending. Whoever has no cache looks through all Pods for those, so it is
// done with one sweep in ten.
const sweepMillis = 30_000
const sweepsBetween = 10

const isTimeForAll = Effect.map(
  Clock.currentTimeMillis,
  (millis) => Math.floor(millis / sweepMillis) % sweepsBetween === 0
)

export const observeAwaited = Effect.gen(function* () {
  const cluster = yield* Cluster
  const waiting = yield* cluster.list((yield* isTimeForAll) ? podsWaitingInAnyPhase() : podsWaiting())
  return new Set(waiting.flatMap(awaitedImages))
})
