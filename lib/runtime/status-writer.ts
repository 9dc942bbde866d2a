/** Writes the status of objects of any kind that has conditions. */
import { isDeepStrictEqual } from "node:util"
import { type Action, referTo } from "./action.ts"
import type { Kind, ObjectMeta } from "../kubernetes/kind.ts"
import { type Condition, type ConditionUpdate, setCondition } from "../kubernetes/condition.ts"

interface WithStatus<Status> {
  readonly metadata: ObjectMeta
  readonly status?: Status
}

interface Conditioned<Type extends string, Reason extends string> {
  readonly conditions?: ReadonlyArray<Condition<Type, Reason>>
}

/** What follows from all else, in every write: conditions and other fields. */
export interface Summary<Type extends string, Reason extends string, Status> {
  readonly conditions: ReadonlyArray<ConditionUpdate<Type, Reason>>
  readonly fields: (conditions: ReadonlyArray<Condition<Type, Reason>>) => Partial<Status>
  /** What goes with a write, and is no reason for one. */
  readonly beside?: (told: {
    readonly conditions: ReadonlyArray<Condition<Type, Reason>>
    readonly observedGeneration: number
  }) => Change<Written<Status>>
}

/** What a function says of a status: the rest follows. */
type Written<Status> = Omit<Status, "conditions" | "observedGeneration">

/** null removes a field. */
type Change<Status> = { readonly [K in keyof Status]?: Status[K] | null }

interface Writer<A, Type extends string, Reason extends string, Status> {
  readonly kind: Kind
  /** Reasons that only the CRD's default has: its time is none. */
  readonly initialReason?: Reason
  readonly summarize: (
    object: A,
    change: Change<Written<Status>>,
    conditions: ReadonlyArray<Condition<Type, Reason>>
  ) => Summary<Type, Reason, Status>
}

/** The function that decides a write, or none where the status says so already. */
export const makeStatusWriter =
  <A extends WithStatus<Status>, Type extends string, Reason extends string, Status extends Conditioned<Type, Reason>>({
    initialReason,
    kind,
    summarize
  }: Writer<A, Type, Reason, Status>) =>
  <const Sets extends Type = never>(
    object: A,
    change: {
      readonly why: string
      readonly time: string
      readonly conditions: ReadonlyArray<ConditionUpdate<Sets, Reason>>
      readonly fields?: Change<Written<Status>>
    }
  ): ReadonlyArray<Action<Sets>> => {
    const observedGeneration = object.metadata.generation ?? 1
    const set = (
      conditions: ReadonlyArray<Condition<Type, Reason>>,
      update: ConditionUpdate<Type, Reason>
    ): ReadonlyArray<Condition<Type, Reason>> =>
      setCondition(conditions, { ...update, observedGeneration, time: change.time })
    // All are said of the newest generation: `kubectl wait` waits for that.
    const restated = (object.status?.conditions ?? [])
      .filter(({ reason }) => reason !== initialReason)
      .map((condition) => ({ ...condition, observedGeneration }))
    const told = change.conditions.reduce(set, restated)
    const summary = summarize(object, change.fields ?? {}, told)
    const conditions = summary.conditions.reduce(set, told)
    const status = { ...change.fields, conditions, observedGeneration, ...summary.fields(conditions) }
    const after = Object.entries({ ...object.status, ...status }).filter(([, value]) => value !== null)
    // Equal.equals hashes both first, at a tenth of what a build costs.
    if (isDeepStrictEqual(Object.fromEntries(after), { ...object.status })) return []
    const beside = summary.beside?.({ conditions, observedGeneration })
    return [{ action: "PatchStatus", why: change.why, target: referTo(kind, object), status: { ...status, ...beside } }]
  }
