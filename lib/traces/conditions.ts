/** What a write to a NixBuild's status made so, for the phases of its trace. */
import { Option, Schema } from "effect"
import { Condition, type ConditionType } from "../api/condition.ts"
import { conditionsOf, type NixBuild, NodeStatus } from "../api/nixbuild.ts"
import type { Done } from "../interpret.ts"

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

export const statusWritesOf = (done: ReadonlyArray<Done>): ReadonlyArray<StatusWrite> =>
  done.flatMap(({ action, before }) => {
    if (action.action !== "PatchStatus" || before === undefined) return []
    const written = Schema.decodeUnknownOption(Written)(action.status)
    if (Option.isNone(written)) return []
    const { conditions } = written.value
    const became = (type: ConditionType) => {
      const now = conditionIn(conditions, type)
      return now?.status === conditionIn(conditionsOf(before), type)?.status ? undefined : now
    }
    return [{ before, written: written.value, became }]
  })

export const conditionIn = (conditions: ReadonlyArray<Condition>, type: ConditionType): Condition | undefined =>
  conditions.find((condition) => condition.type === type)
