/** Writes a NixBuild's status: with every write `Ready` and the word that `kubectl get` prints follow from the rest. */
import { type Condition, phaseOf } from "./api/condition.ts"
import type { Reason } from "./api/reasons.ts"
import { type NixBuild, nixBuilds, type Status } from "./api/nixbuild.ts"
import { readinessOf } from "./readiness.ts"
import { makeStatusWriter } from "./status-writer.ts"

// What is built can't change, so no condition becomes untrue with the spec.
export const patchStatus = makeStatusWriter<NixBuild, Condition["type"], Reason, Status>({
  kind: nixBuilds,
  initialReason: "Pending",
  summarize: ({ status }, fields, conditions) => ({
    conditions: [readinessOf({ ...status, ...fields, conditions })],
    fields: (all) => ({ status: phaseOf(all) })
  })
})

/** What a write changes of a status. */
export type StatusChange = Parameters<typeof patchStatus>[1]
