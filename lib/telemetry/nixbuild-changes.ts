/** What a decision made so of a NixBuild: each write of its status, and what was there before. */
import { Option, Predicate, Schema } from "effect"
import { Condition, type ConditionType } from "../api/nixbuild-condition.ts"
import { conditionOf } from "../kubernetes/condition.ts"
import { conditionsOf, NixBuild, NodeStatus } from "../api/nixbuild.ts"
import type { Run } from "../runtime/observers.ts"
import { once } from "../once.ts"

const Written = Schema.Struct({
  conditions: Schema.Array(Condition),
  nodes: Schema.optionalKey(Schema.Array(NodeStatus))
})

/** A write to a NixBuild's status, and what was there before it. */
export interface StatusWrite {
  readonly before: NixBuild
  readonly written: typeof Written.Type
  /** The condition if this write gave it its status. */
  readonly became: (type: ConditionType) => Condition | undefined
}

export const statusWritesOf = ({ applied, observed }: Pick<Run, "applied" | "observed">): ReadonlyArray<StatusWrite> =>
  applied.flatMap(({ action }) => {
    if (action.action !== "PatchStatus" || action.target.kind !== "NixBuild") return []
    // The write named a resourceVersion and succeeded, so what was observed is what was there before.
    const before = decodeBuild(isObject(observed) ? byUid(observed).get(action.target.uid) : undefined)
    const written = Schema.decodeUnknownOption(Written)(action.status)
    if (Option.isNone(before) || Option.isNone(written)) return []
    return [statusWrite(before.value, written.value)]
  })

export const statusWrite = (before: NixBuild, written: typeof Written.Type): StatusWrite => ({
  before,
  written,
  became: (type) => {
    const now = conditionOf(written.conditions, type)
    return now?.status === conditionOf(conditionsOf(before), type)?.status ? undefined : now
  }
})

const decodeBuild = Schema.decodeUnknownOption(Schema.toType(NixBuild))

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** The objects of an observation, which is one or has some, or lists of them. */
const byUid = once(
  (observed: object) =>
    new Map(
      [observed, ...Object.values(observed)].flat().flatMap((value: unknown) => {
        const uid = uidOf(value)
        return uid === undefined ? [] : [[uid, value] as const]
      })
    )
)

const uidOf = (value: unknown): unknown =>
  Predicate.hasProperty(value, "metadata") && Predicate.hasProperty(value.metadata, "uid")
    ? value.metadata.uid
    : undefined
