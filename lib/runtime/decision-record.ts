/**
 * The record of a decision: the function, the event, the object, the outcome,
 * the writes, and everything that was observed, from which `decide` makes the
 * same actions again. It holds no secrets. In the log it is one line of limited
 * size; in the file that `DECISIONS_FILE` names it is whole.
 */
import { Option, Schema } from "effect"
import type { Action } from "./action.ts"
import { ObjectMeta, type Reference } from "../kubernetes/kind.ts"
import type { CloudEvent } from "./events.ts"
import { redact } from "./redact.ts"

export interface Decision {
  readonly function: string
  readonly event: CloudEvent
  readonly subject: Reference
  readonly observed: unknown
  readonly actions: ReadonlyArray<Action<string>>
  /** How many of the actions were carried out. */
  readonly done: number
  readonly outcome: string
}

// containerd cuts log lines at 16 KiB; this leaves room for what the logger adds and for what JSON escapes.
const maxLength = 12_000
const maxOutcome = 1000
const maxWrites = 10

/** For the log. `isWhole`: keeps the whole observation in the record, however long it is. */
export const makeRecord = (decision: Decision, isWhole = false): unknown => {
  const head = headOf(decision)
  const leftOut = (length: number) => redact({ ...head, observed: `left out: ${length} characters` })
  // What is far too long, such as a thousand nodes, is not worth a look for secrets.
  const { length: raw } = isWhole ? "" : JSON.stringify(decision.observed ?? null)
  if (raw > 4 * maxLength) return leftOut(raw)
  const whole = redact({ ...head, observed: decision.observed })
  const { length } = JSON.stringify(whole)
  return isWhole || length <= maxLength ? whole : leftOut(length)
}

/** For a file: the actions too, as they were to be carried out. */
export const makeWholeRecord = (decision: Decision): unknown => {
  const { actions, observed } = decision
  return redact({ ...headOf(decision), actions, observed })
}

const headOf = (decision: Decision) => {
  const { actions, done, event, outcome, subject } = decision
  return {
    function: decision.function,
    event,
    subject: { ...subject, ...versionOf(decision) },
    outcome: outcome.length > maxOutcome ? `${outcome.slice(0, maxOutcome)}…` : outcome,
    decided: actions.length,
    done,
    writes: writesOf(actions)
  }
}

/** What the actions write to and why, of the first ten. */
export const writesOf = (actions: ReadonlyArray<Action<string>>) => actions.slice(0, maxWrites).map(summaryOf)

/** Without its object: a Job has its environment in it, and the record holds what it was made of. */
const summaryOf = (action: Action<string>) => {
  const { why } = action
  if (action.action !== "Create") return { action: action.action, ...action.target, why }
  const { kind, metadata } = action.object
  const { name, namespace } = metadata
  return { action: action.action, kind, ...(namespace === undefined ? {} : { namespace }), name, why }
}

/** The version of the object that was observed, if the function observes one. */
const versionOf = ({ observed, subject }: Decision) => {
  const objects = typeof observed === "object" && observed !== null ? Object.values(observed) : []
  const found = objects
    .flatMap((object) => Option.toArray(Schema.decodeUnknownOption(WithMetadata)(object)))
    .find(({ metadata }) => metadata.name === subject.name && metadata.namespace === subject.namespace)
  return found === undefined ? {} : { uid: found.metadata.uid, resourceVersion: found.metadata.resourceVersion }
}

const WithMetadata = Schema.Struct({ metadata: ObjectMeta })
