/**
 * What a decision leaves in the log: who decided, on what event, about which
 * object, how it ended, what was written, and all that was observed, of which
 * `decide` makes the same actions again. One line, without secrets, and of a
 * bounded size.
 */
import { Option, Schema } from "effect"
import type { Action } from "./action.ts"
import { ObjectMeta, type Reference } from "./api/kind.ts"
import type { CloudEvent } from "./events.ts"

export interface Decision {
  readonly function: string
  readonly event: CloudEvent
  readonly subject: Reference
  readonly observed: unknown
  readonly actions: ReadonlyArray<Action>
  /** How many of the actions were carried out; the next one failed. */
  readonly done: number
  readonly outcome: string
}

// containerd cuts log lines at 16 KiB; this leaves room for what the logger adds and for what JSON escapes.
const maxLength = 12_000
const maxOutcome = 1000
const maxWrites = 10

/** `isWhole`: whatever was observed stands in the record, however long. */
export const makeRecord = (decision: Decision, isWhole = false): unknown => {
  const { actions, done, event, observed, outcome, subject } = decision
  const head = {
    function: decision.function,
    event,
    subject: { ...subject, ...versionOf(decision) },
    outcome: outcome.length > maxOutcome ? `${outcome.slice(0, maxOutcome)}…` : outcome,
    decided: actions.length,
    done,
    writes: actions.slice(0, maxWrites).map(summaryOf)
  }
  const text = JSON.stringify({ ...head, observed }, withoutSecrets)
  return JSON.parse(
    isWhole || text.length <= maxLength
      ? text
      : JSON.stringify({ ...head, observed: `left out: ${text.length} characters` }, withoutSecrets)
  )
}

/** Without its object: a Job has its environment in it, and the record holds what it was made of. */
const summaryOf = (action: Action) => {
  const { why } = action
  if (action.action !== "Create") return { action: action.action, ...action.target, why }
  const { kind, metadata } = action.object
  return { action: action.action, kind, namespace: metadata.namespace, name: metadata.name, why }
}

/** The version of the object that was looked at, if the function looks at one. */
const versionOf = ({ observed, subject }: Decision) => {
  const objects = typeof observed === "object" && observed !== null ? Object.values(observed) : []
  const found = objects
    .flatMap((object) => Option.toArray(Schema.decodeUnknownOption(WithMetadata)(object)))
    .find(({ metadata }) => metadata.name === subject.name && metadata.namespace === subject.namespace)
  return found === undefined ? {} : { uid: found.metadata.uid, resourceVersion: found.metadata.resourceVersion }
}

const WithMetadata = Schema.Struct({ metadata: ObjectMeta })

// Kinds are read without Secrets, environments and other people's annotations; what is left are
// URLs and the end of a build's log, in which anything may stand.
const secrets: ReadonlyArray<readonly [RegExp, string]> = [
  [/:\/\/[^/\s@"']+@/g, "://…@"],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, "$1 …"],
  [/((?:token|passw(?:or)?d|secret|api[-_]?key|access[-_]?key)["']?\s*[=:]\s*["']?)[^\s&"',;]+/gi, "$1…"]
]

const withoutSecrets = (_key: string, value: unknown): unknown =>
  typeof value === "string" ? secrets.reduce((text, [pattern, mask]) => text.replace(pattern, mask), value) : value
