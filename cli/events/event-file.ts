/**
 * CloudEvents out of whatever people have them in:
 *
 * | what                                              | the event                           |
 * |---------------------------------------------------|-------------------------------------|
 * | a decision, of the log or of DECISIONS_FILE       | the one that led to it              |
 * | a line of the dead letter sink's log; a request   | its ce- headers, its body as data   |
 * | an event in JSON (structured mode), or many       | itself                              |
 * | an object, or a List: kubectl get -o json or yaml | one that says that it was updated   |
 *
 * One JSON a line, or JSON or YAML documents over many lines. An event that
 * comes more than once, since many functions had it, is taken once.
 */
import { Option, Result, Schema } from "effect"
import { parseAllDocuments } from "yaml"
import { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { CloudEvent } from "../../lib/runtime/events.ts"
import { DecisionRecord } from "../recordings/recording.ts"

const Fields = Schema.Record(Schema.String, Schema.Unknown)
type Fields = typeof Fields.Type

/** With everything in it, including what the functions do not read. */
export const WholeEvent = Schema.StructWithRest(CloudEvent, [Fields])
export type WholeEvent = typeof WholeEvent.Type

const asEvent = Schema.decodeUnknownOption(WholeEvent)
const asDecisionRecord = Schema.decodeUnknownOption(DecisionRecord)
const asLogged = Schema.decodeUnknownOption(Schema.Struct({ message: Schema.Tuple([Schema.String, Fields]) }))
const asRequest = Schema.decodeUnknownOption(
  Schema.Struct({
    headers: Schema.Union([
      Schema.Record(Schema.String, Schema.String),
      Schema.Array(Schema.Tuple([Schema.String, Schema.String]))
    ]),
    body: Schema.optionalKey(Schema.String)
  })
)
const asObject = Schema.decodeUnknownOption(KubernetesObject)
const asItems = Schema.decodeUnknownOption(Schema.Struct({ items: Schema.Array(Schema.Unknown) }))
const asJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

/** All events in a text, each once, in order; none if there is none. */
export const eventsIn = (lines: ReadonlyArray<string>): ReadonlyArray<WholeEvent> => {
  const byLine = lines.flatMap((line) => {
    const json = asJson(line.slice(Math.max(0, line.indexOf("{"))))
    return Result.isSuccess(json) ? eventsOf(json.success) : []
  })
  const all = byLine.length > 0 ? byLine : inDocuments(lines.join("\n"))
  return [...new Map(all.toReversed().map((event) => [`${event.source} ${event.id}`, event])).values()].toReversed()
}

const inDocuments = (text: string): ReadonlyArray<WholeEvent> =>
  parseAllDocuments(text).flatMap((document) => (document.errors.length > 0 ? [] : eventsOf(document.toJS())))

const eventsOf = (value: unknown): ReadonlyArray<WholeEvent> => {
  if (Array.isArray(value)) return value.flatMap(eventsOf)
  const items = asItems(value)
  if (Option.isSome(items)) return items.value.items.flatMap(eventsOf)
  const inner = Option.match(asLogged(value), { onNone: () => value, onSome: ({ message: [, logged] }) => logged })
  return Option.toArray(
    asDecisionRecord(inner).pipe(
      Option.map(({ event }): WholeEvent => event),
      Option.orElse(() => asEvent(inner)),
      Option.orElse(() => Option.flatMap(asRequest(inner), fromRequest)),
      Option.orElse(() => Option.flatMap(asObject(inner), fromObject))
    )
  )
}

/** In binary mode; what the body is can only be told of JSON. */
const fromRequest = ({ body = "", headers }: NonNullable<Option.Option.Value<ReturnType<typeof asRequest>>>) => {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers)
  const json = asJson(body)
  const names = new Map(pairs.map(([name, value]) => [String(name).toLowerCase(), String(value)]))
  if (names.get("content-type")?.startsWith("application/cloudevents+json")) {
    return Result.isSuccess(json) ? asEvent(json.success) : Option.none()
  }
  const attributes = [...names].flatMap(([name, value]) => (name.startsWith("ce-") ? [[name.slice(3), value]] : []))
  const type = names.get("content-type")
  const data = body === "" ? {} : { data: Result.isSuccess(json) ? json.success : body }
  return asEvent({
    ...Object.fromEntries(attributes),
    ...(type === undefined ? {} : { datacontenttype: type }),
    ...data
  })
}

const fromObject = ({ kind, metadata }: KubernetesObject): Option.Option<WholeEvent> => {
  const { name, namespace, resourceVersion = "" } = metadata
  return asEvent({
    specversion: "1.0",
    id: [kind, namespace ?? "", name, resourceVersion].join("/"),
    source: "enbi",
    type: "dev.knative.apiserver.resource.update",
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name
  })
}
