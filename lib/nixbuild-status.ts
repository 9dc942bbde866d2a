/** A write to a NixBuild's status, or none when it says so already. */
import { isDeepStrictEqual } from "node:util"
import { type Action, referTo } from "./action.ts"
import { type Condition, phaseOf, setCondition, type Verdict } from "./api/condition.ts"
import { conditionsOf, isOpen, type NixBuild, type Status } from "./api/nixbuild.ts"
import { readinessOf } from "./readiness.ts"

export interface StatusChange {
  readonly why: string
  readonly time: string
  readonly verdicts: ReadonlyArray<Verdict>
  /** null removes a field. */
  readonly fields?: Fields
}

type Fields = { readonly [K in keyof Omit<Status, Computed>]?: Status[K] | null }

/** What follows from all else, in every write. */
type Computed = "conditions" | "observedGeneration" | "settled" | "status"

export const patchStatus = (build: NixBuild, change: StatusChange): ReadonlyArray<Action> => {
  const observedGeneration = build.metadata.generation ?? 1
  const set = (conditions: ReadonlyArray<Condition>, verdict: Verdict) =>
    setCondition(conditions, { ...verdict, observedGeneration, time: change.time })
  // What is built can't change, so no condition becomes untrue with the spec, and
  // all are said of the newest generation: `kubectl wait` waits for that.
  const restated = conditionsOf(build)
    // The time of the CRD's default is none.
    .filter(({ reason }) => reason !== "Pending")
    .map((condition) => ({ ...condition, observedGeneration }))
  const told = change.verdicts.reduce(set, restated)
  const conditions = set(told, readinessOf({ ...build.status, ...change.fields, conditions: told }))
  const status = { ...change.fields, conditions, observedGeneration, status: phaseOf(conditions) }
  const after = Object.entries({ ...build.status, ...status }).filter(([, value]) => value !== null)
  // Equal.equals hashes both first, at a tenth of what a build costs.
  if (isDeepStrictEqual(Object.fromEntries(after), { ...build.status })) return []
  const settled = settledAfter(build, { ...change.fields, conditions, observedGeneration })
  return [
    { action: "PatchStatus", why: change.why, target: referTo("NixBuild", build), status: { ...status, ...settled } }
  ]
}

// It changes with other fields only, so a NixBuild that an earlier version has ended is not written to for it.
const settledAfter = (
  build: NixBuild,
  { handledRetry, nodes, ...told }: Required<Pick<Status, "conditions" | "observedGeneration">> & Fields
) => {
  const { settled: before, ...status } = build.status ?? {}
  const now = {
    ...status,
    conditions: told.conditions,
    observedGeneration: told.observedGeneration,
    ...(handledRetry == null ? {} : { handledRetry }),
    ...(nodes == null ? {} : { nodes })
  }
  if (!isOpen({ ...build, status: now })) return { settled: true }
  return before === undefined ? {} : { settled: null }
}
