/** The conditions of an object of any kind: what it says of itself, each type set by one function. */
import { Schema } from "effect"

export interface Condition<Type extends string = string, Reason extends string = string> {
  readonly type: Type
  readonly status: "True" | "False" | "Unknown"
  readonly reason: Reason
  readonly message: string
  readonly observedGeneration: number
  /** RFC 3339, UTC. */
  readonly lastTransitionTime: string
}

/** What a function says in a condition, before it is known since when that holds. */
export type ConditionUpdate<Type extends string = string, Reason extends string = string> = Pick<
  Condition<Type, Reason>,
  "type" | "status" | "reason" | "message"
>

/** As the CRD of a kind describes its conditions. */
export const makeConditionSchema = <
  const Type extends Schema.Codec<string>,
  const Reason extends Schema.Codec<string>
>(of: {
  readonly type: Type
  readonly reason: Reason
}) =>
  Schema.Struct({
    type: of.type,
    status: Schema.Literals(["True", "False", "Unknown"]).annotate({
      description: "True, False, or Unknown while this is not known yet."
    }),
    reason: of.reason,
    message: Schema.String.annotate({ description: "What happened and what to do, as sentences." }),
    observedGeneration: Schema.Int.annotate({ description: "The metadata.generation that this condition describes." }),
    lastTransitionTime: Schema.String.annotate({
      description: "When status last changed, RFC 3339, UTC.",
      format: "date-time"
    })
  })

export const conditionOf = <Type extends string, Reason extends string>(
  conditions: ReadonlyArray<Condition<Type, Reason>>,
  type: NoInfer<Type>
): Condition<Type, Reason> | undefined => conditions.find((condition) => condition.type === type)

export const isTrue = <Type extends string>(conditions: ReadonlyArray<Condition<Type>>, type: NoInfer<Type>): boolean =>
  conditionOf(conditions, type)?.status === "True"

export const isFalse = <Type extends string>(
  conditions: ReadonlyArray<Condition<Type>>,
  type: NoInfer<Type>
): boolean => conditionOf(conditions, type)?.status === "False"

/** `conditions` with the update in it; the time moves only when the status does. */
export const setCondition = <Type extends string, Reason extends string>(
  conditions: ReadonlyArray<Condition<Type, Reason>>,
  { time, ...update }: ConditionUpdate<Type, Reason> & { readonly observedGeneration: number; readonly time: string }
): ReadonlyArray<Condition<Type, Reason>> => {
  const before = conditionOf(conditions, update.type)
  const after = { ...update, lastTransitionTime: before?.status === update.status ? before.lastTransitionTime : time }
  return before === undefined
    ? [...conditions, after]
    : conditions.map((condition) => (condition === before ? after : condition))
}
