/** What has to be prepared for a build, its cache volume above all, is there when its Job is. */
import { conditionsOf } from "../../lib/api/nixbuild.ts"
import type { Done } from "../../lib/interpret.ts"
import { conditionIn, statusWritesOf } from "../../lib/traces/conditions.ts"
import type { Phase } from "../../lib/traces/span.ts"

export const phases = (done: ReadonlyArray<Done>): ReadonlyArray<Phase> =>
  statusWritesOf(done).flatMap(({ became, before }) => {
    const launched = became("Launched")
    if (launched?.status !== "True") return []
    const to = launched.lastTransitionTime
    const from = conditionIn(conditionsOf(before), "Scheduled")?.lastTransitionTime ?? to
    return [{ name: "prepare", build: before, key: [], from, to }]
  })
