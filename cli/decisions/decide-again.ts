/**
 * Gives a recorded observation to today's `decide`, without a cluster, and
 * shows how its actions differ from the recorded ones.
 */
import { Effect, Equal, Result, Schema, TextDiff } from "effect"
import { stringify } from "yaml"
import type { Action } from "../../lib/runtime/action.ts"
import { writesOf } from "../../lib/runtime/decision-record.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { redact } from "../../lib/runtime/redact.ts"
import type { Recording } from "../recordings/recording.ts"

/** How today's decision compares. */
export type Comparison =
  | { readonly _tag: "Same" }
  | { readonly _tag: "Differs"; readonly difference: string }
  | { readonly _tag: "Unknown"; readonly why: string }

const unknown = (why: string): Comparison => ({ _tag: "Unknown", why })

export const decideAgain = Effect.fnUntraced(function* (
  functions: ReadonlyArray<EnbiFunction<unknown>>,
  { record }: Recording
) {
  const definition = functions.find(({ name }) => name === record.function)
  if (definition === undefined) return unknown(`there is no function ${record.function}`)
  if (typeof record.observed === "string") {
    return unknown(`what was observed was too long for the log: set DECISIONS_FILE, or LOG_LEVEL=Debug`)
  }
  const observed = Schema.decodeUnknownResult(definition.Observed)(record.observed)
  const older = `It is of an older form: ${definition.name} observes other things today`
  if (Result.isFailure(observed)) {
    return unknown(`what was observed cannot be read by this version: ${observed.failure.message}\n${older}.`)
  }
  // What it lacks has a default now, or it has what nobody reads any more.
  const isOlder = !Equal.equals(Schema.encodeSync(definition.Observed)(observed.success), record.observed)
  // A `decide` that throws is a mistake of ours, which is what one looks for here.
  const verdict = yield* Effect.try({ try: () => definition.decide(observed.success), catch: String }).pipe(
    Effect.map((actions) => compare(record, actions)),
    Effect.catch((thrown) => Effect.succeed<Comparison>({ _tag: "Differs", difference: `now it throws ${thrown}\n` }))
  )
  return verdict._tag === "Differs" && isOlder
    ? { ...verdict, difference: `${older}, and may decide otherwise because they are missing.\n${verdict.difference}` }
    : verdict
})

// A record of the log only says what the actions write to, and why; and that of the first ten.
const compare = ({ actions, decided, writes }: Recording["record"], now: ReadonlyArray<Action<string>>): Comparison => {
  const [then, today] =
    actions === undefined
      ? [textOf({ decided, writes }), textOf({ decided: now.length, writes: writesOf(now) })]
      : [textOf(actions), textOf(now)]
  if (then === today) return { _tag: "Same" }
  const edits = TextDiff.lines(then, today, { maxEdits: 1000 })
  return { _tag: "Differs", difference: TextDiff.unified(edits, { fromFile: "then", toFile: "now" }) }
}

const textOf = (value: unknown): string =>
  stringify(redact(value), { sortMapEntries: true, lineWidth: 110, aliasDuplicateObjects: false })
