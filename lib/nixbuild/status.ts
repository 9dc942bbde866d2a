/** Writes a NixBuild's status: with every write `Ready` and the word that `kubectl get` prints follow from the rest. */
import { type Condition, phaseOf } from "../api/nixbuild-condition.ts"
import type { Reason } from "../api/reasons.ts"
import { isOpen, type NixBuild, nixBuilds, type Status } from "../api/nixbuild.ts"
import { readinessOf } from "./readiness.ts"
import { makeStatusWriter } from "../runtime/status-writer.ts"

// What is built can't change, so no condition becomes untrue with the spec.
export const patchStatus = makeStatusWriter<NixBuild, Condition["type"], Reason, Status>({
  kind: nixBuilds,
  initialReason: "Pending",
  summarize: (build, fields, conditions) => ({
    conditions: [readinessOf({ ...build.status, ...fields, conditions })],
    fields: (all) => ({ status: phaseOf(all) }),
    // One that an earlier version has ended is not written to for it.
    beside: (told) => settledAfter(build, { ...fields, ...told })
  })
})

const settledAfter = (
  build: NixBuild,
  { conditions, handledRetry, nodes, observedGeneration }: StatusFields
): { readonly settled?: boolean | null } => {
  const { settled: before, ...status } = build.status ?? {}
  const now = {
    ...status,
    conditions,
    observedGeneration,
    ...(handledRetry == null ? {} : { handledRetry }),
    ...(nodes == null ? {} : { nodes })
  }
  if (!isOpen({ ...build, status: now })) return { settled: true }
  return before === undefined ? {} : { settled: null }
}

/** What a write says of that on which it depends whether something is left to do. */
type StatusFields = Required<Pick<Status, "conditions" | "observedGeneration">> & {
  readonly [K in "handledRetry" | "nodes"]?: Status[K] | null
}

/** What a write changes of a status. */
export type StatusChange = Parameters<typeof patchStatus>[1]
