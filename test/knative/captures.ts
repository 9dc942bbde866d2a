/**
 * Requests recorded from Knative Eventing (main of 2026-06-17, after 1.22.2) on
 * Kubernetes 1.34.4, and what makes two of them comparable: everything but
 * hosts, times and ids that are new in every run. Of the recordings only what
 * is used is in `captures/`: the tries of one event are one row there, and most
 * bodies of more than 4000 bytes are left out.
 */
import { Result, Schema } from "effect"
import { readFileSync } from "node:fs"
import { answer, type Answer, canonical, type Headers, type Message } from "./http.ts"

const Pairs = Schema.Array(Schema.Tuple([Schema.String, Schema.String]))

const Answered = Schema.Struct({
  /** 0: the connection was closed unanswered. */
  status: Schema.Int,
  headers: Schema.optionalKey(Pairs),
  body: Schema.optionalKey(Schema.String)
})

/** One event as a sink got it, with all tries: they were equal but for the time. */
export const Captured = Schema.Struct({
  /** Which sink, and what it was asked to do. */
  label: Schema.String,
  target: Schema.String,
  headers: Pairs,
  body: Schema.optionalKey(Schema.String),
  bodyBase64: Schema.optionalKey(Schema.String),
  /** Of each try, after the first. */
  atMillis: Schema.NonEmptyArray(Schema.Int),
  /** To each try; one for all if they were equal. */
  answers: Schema.NonEmptyArray(Answered)
})
export type Captured = typeof Captured.Type

/** What was sent to the Broker, and its answer. */
export const Sent = Schema.Struct({
  method: Schema.optionalKey(Schema.String),
  to: Schema.String,
  headers: Pairs,
  body: Schema.optionalKey(Schema.String),
  answer: Answered
})
export type Sent = typeof Sent.Type

/** The rows of one file. */
export const readCapture = <A>(name: string, row: Schema.Codec<A, unknown>): ReadonlyArray<A> => {
  const text = readFileSync(new URL(`captures/${name}.jsonl`, import.meta.url), "utf8")
  return text
    .trimEnd()
    .split("\n")
    .map((line) => Schema.decodeUnknownSync(Schema.fromJsonString(row))(line))
}

/** Bytes of a captured body. */
export const bodyOf = ({ body, bodyBase64 }: Pick<Captured, "body" | "bodyBase64">): Buffer =>
  bodyBase64 === undefined ? Buffer.from(body ?? "") : Buffer.from(bodyBase64, "base64")

/** The recorder's answer to the nth try. */
export const answerTo = ({ answers }: Captured, index: number): Answer | "reset" => {
  const { body, headers, status } = answers[index] ?? answers[0]
  return status === 0 ? "reset" : answer(status, headers, body)
}

/** Between the tries, in units of the smallest back-off: what a machine needs beside is far below one. */
export const gapsIn = (unitMillis: number, atMillis: ReadonlyArray<number>): ReadonlyArray<number> =>
  atMillis.slice(1).map((at, index) => Math.round((at - (atMillis[index] ?? 0)) / unitMillis))

const host = (text: string): string => text.replace(/http:\/\/[^/"]+/, "http://<host>")

const masks: Readonly<Record<string, (value: string) => string>> = {
  Host: () => "<host>",
  "Ce-Id": (id) => id.replace(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, "<uuid>"),
  "Ce-Time": (time) => time.replace(nanoTime, "<time>"),
  "Ce-Knativearrivaltime": (time) => time.replace(nanoTime, "<time>"),
  "Ce-Knativeerrordest": host,
  "Ce-Knativeerrordata": (data) => host(Buffer.from(data, "base64").toString("utf8")),
  // The trace is new unless it came with the event; that one is of the capture.
  Traceparent: (value) =>
    value.replace(/^00-(?:(0af7651916cd43dd8448eb211c80319c)|[0-9a-f]{32})-[0-9a-f]{16}-01$/, "00-<trace $1>-<span>-01")
}

const nanoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/

/** Whether tests run against a real Broker, whose tracing may be on or off. */
export const isRemote = (process.env["BROKER_URL"] ?? "") !== ""

const isCompared = ([name]: Headers[number]): boolean => !isRemote || !name.startsWith("Trace")

/** What must be equal: names in the order and case of the wire, values, and the body as what it means. */
export const comparable = ({ body, headers }: Message) => ({
  headers: headers.filter(isCompared).map(([name, value]) => {
    // A document holds its times, and Go leaves zeros at their ends away.
    if (name === "Content-Length" && isDocument(body) && Number(value) === body.length) return `${name}: <its length>`
    return `${name}: ${masks[name]?.(value) ?? value}`
  }),
  body: meaningOf(body)
})

const Structured = Schema.StructWithRest(
  Schema.Struct({ specversion: Schema.String, id: Schema.String, time: Schema.optionalKey(Schema.String) }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

const parse = (body: Buffer): unknown =>
  Result.getOrElse(
    Result.try((): unknown => JSON.parse(body.toString("utf8"))),
    () => body.toString("base64")
  )

const isDocument = (body: Buffer): boolean => Schema.is(Structured)(parse(body))

const meaningOf = (body: Buffer): unknown => {
  const value = parse(body)
  return Schema.is(Structured)(value) ? Object.fromEntries(Object.entries(value).map(masked)) : value
}

/** As the header that it is in binary mode. */
const masked = ([name, value]: readonly [string, unknown]): readonly [string, unknown] => [
  name,
  typeof value === "string" ? (masks[`Ce-${canonical(name)}`]?.(value) ?? value) : value
]

/** An answer without what differs in every run; a header's name has no case there. */
export const comparableAnswer = ({
  headers = [],
  status
}: {
  readonly status: number
  readonly headers?: Headers
}) => ({
  status,
  headers: headers
    .map(([name, value]) => `${canonical(name)}: ${value}`)
    .filter((line) => !line.startsWith("Date: "))
    .toSorted()
})
