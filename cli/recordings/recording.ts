/**
 * A decision as it was recorded: a line of the functions' log, or of the file
 * that `DECISIONS_FILE` names. Both say the same; the file's are whole.
 */
import { Option, Schema, Stream } from "effect"
import { Reference } from "../../lib/kubernetes/kind.ts"
import { CloudEvent } from "../../lib/runtime/events.ts"
import { hash10 } from "../../lib/hash.ts"
import { redact } from "../../lib/runtime/redact.ts"

const optional = Schema.optionalKey
const Fields = Schema.Record(Schema.String, Schema.Unknown)

const Named = Schema.Struct({ name: Schema.String, namespace: optional(Schema.String) })

/** One write that was decided on. */
export const Write = Schema.Struct({
  action: Schema.String,
  ...Reference.fields,
  uid: optional(Schema.String),
  resourceVersion: optional(Schema.String),
  why: Schema.String
})
export type Write = typeof Write.Type

/** A decision record, as far as we read it. */
export const DecisionRecord = Schema.Struct({
  time: optional(Schema.String),
  function: Schema.String,
  // The sender may have set more than the functions read.
  event: Schema.StructWithRest(CloudEvent, [Fields]),
  subject: Schema.Struct({ ...Reference.fields, uid: optional(Schema.String) }),
  outcome: Schema.String,
  decided: Schema.Int,
  done: Schema.Int,
  writes: Schema.Array(Write),
  actions: optional(Schema.Array(Schema.Unknown)),
  observed: Schema.Unknown
})

/** One decision, by what to call it. */
export interface Recording {
  /** Made of all that the record says, so the same wherever it is read. */
  readonly id: string
  readonly record: typeof DecisionRecord.Type
  /** Everything, ready to be shown: redacted once more, by the rules of today. */
  readonly show: () => unknown
}

const readAction = Schema.decodeUnknownOption(
  Schema.Struct({
    action: Schema.String,
    object: optional(Schema.Struct({ kind: Schema.String, metadata: Named })),
    target: optional(Reference)
  })
)

/** What it wrote to, and how: all of it where the record is whole, else the first ten. */
export const allWrites = ({
  actions,
  writes
}: typeof DecisionRecord.Type): ReadonlyArray<Reference & { action: string }> =>
  actions === undefined
    ? writes
    : actions.flatMap((each) =>
        Option.toArray(
          Option.flatMapNullishOr(readAction(each), ({ action, object, target }) =>
            object === undefined ? target && { action, ...target } : { action, kind: object.kind, ...object.metadata }
          )
        )
      )

const readJson = Schema.decodeUnknownOption(Schema.fromJsonString(Fields))
const readLogged = Schema.decodeUnknownOption(
  Schema.Struct({ message: Schema.Tuple([Schema.Literal("decided"), Fields]), timestamp: Schema.String })
)
const readDecisionRecord = Schema.decodeUnknownOption(DecisionRecord)

/** The decision that a line records, if any; what `kubectl logs` puts in front of a line is skipped. */
export const readRecording = (line: string): Option.Option<Recording> =>
  Option.gen(function* () {
    const json = yield* readJson(line.slice(Math.max(0, line.indexOf("{"))))
    const fields = Option.match(readLogged(json), {
      onNone: () => json,
      onSome: ({ message: [, logged], timestamp }) => ({ time: timestamp, ...logged })
    })
    const record = yield* readDecisionRecord(fields)
    return { id: hash10(JSON.stringify(fields)), record, show: () => redact(fields) }
  })

/** The decisions among some lines. */
export const recordingsIn = <E, R>(lines: Stream.Stream<string, E, R>): Stream.Stream<Recording, E, R> =>
  lines.pipe(
    Stream.map((line) => Option.toArray(readRecording(line))),
    Stream.flattenIterable
  )
