/** The queue ends for a NixBuild when it gets its node. */
import type { Done } from "../../lib/interpret.ts"
import { statusWritesOf } from "../../lib/traces/conditions.ts"
import type { Phase } from "../../lib/traces/span.ts"

export const phases = (done: ReadonlyArray<Done>): ReadonlyArray<Phase> =>
  statusWritesOf(done).flatMap(({ became, before }) => {
    const scheduled = became("Scheduled")
    if (scheduled?.status !== "True") return []
    const to = scheduled.lastTransitionTime
    return [{ name: "queue", build: before, key: [], from: before.metadata.creationTimestamp ?? to, to }]
  })
