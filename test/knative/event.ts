/**
 * A CloudEvent as Knative's Broker sees it, read from HTTP and written to it in
 * its way: nothing is percent-encoded or decoded, every attribute is a string,
 * the data stays byte for byte what it was. Written for these tests alone, so
 * that a mistake of the functions' own codec is not made here again.
 */
import type { Headers, Message } from "./http.ts"
import { escapeForHtml, membersOf } from "./json.ts"
import { canonical, valueOf } from "./http.ts"

export interface Event {
  /** All context attributes, `datacontenttype` and extensions included, by their names in lower case. */
  readonly attributes: ReadonlyMap<string, string>
  readonly data: Buffer
}

export const withAttributes = (event: Event, changes: Readonly<Record<string, string | undefined>>): Event => {
  const attributes = new Map(event.attributes)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) attributes.delete(name)
    else attributes.set(name, value)
  }
  return { ...event, attributes }
}

/** The event that a request or an answer holds, whether valid or not; nothing when it holds none. */
export const readEvent = ({ body, headers }: Message): Event | undefined => {
  const contentType = (valueOf(headers, "Content-Type") ?? "").toLowerCase()
  // A batch too, which is an array and so no event.
  if (contentType.startsWith("application/cloudevents")) return readStructured(body.toString("utf8"))
  return valueOf(headers, "Ce-Specversion") === undefined ? undefined : readBinary({ headers, body })
}

const readBinary = ({ body, headers }: Message): Event => {
  const attributes = headers.flatMap(([name, value]): Headers => {
    const known = canonical(name)
    if (known === "Content-Type") return [["datacontenttype", value]]
    return known.startsWith("Ce-") ? [[known.slice("Ce-".length).toLowerCase(), value]] : []
  })
  // Of a header that comes twice the first counts.
  return { attributes: new Map(attributes.toReversed()), data: body }
}

const readStructured = (text: string): Event | undefined => {
  const members = membersOf(text)
  if (members === undefined) return undefined
  const attributes = new Map<string, string>()
  for (const [name, json] of members) {
    if (name === "data" || name === "data_base64" || json === "null") continue
    const value: unknown = JSON.parse(json)
    attributes.set(name, typeof value === "string" ? value : json)
  }
  return { attributes, data: dataOf(members, isJson(attributes.get("datacontenttype"))) }
}

const dataOf = (members: ReadonlyMap<string, string>, isJson: boolean): Buffer => {
  const [json, base64] = [members.get("data"), members.get("data_base64")]
  if (base64 !== undefined) return Buffer.from(String(JSON.parse(base64)), "base64")
  if (json === undefined) return Buffer.alloc(0)
  return Buffer.from(isJson || !json.startsWith('"') ? json : String(JSON.parse(json)))
}

const isJson = (contentType: string | undefined): boolean =>
  contentType === undefined || /^[^;]*[/+]json\s*(;|$)/i.test(contentType)

const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i

/** What the Broker has against it; nothing when it is a valid CloudEvent. */
export const faultOf = ({ attributes }: Event): string | undefined => {
  const missing = ["specversion", "id", "source", "type"].find((name) => (attributes.get(name) ?? "") === "")
  if (missing !== undefined) return `${missing} is missing`
  const version = attributes.get("specversion")
  if (version !== "1.0" && version !== "0.3") return `specversion ${version}`
  if (attributes.has("time") && !time.test(attributes.get("time") ?? "")) return `time ${attributes.get("time")}`
  const illegal = [...attributes.keys()].find((name) => !/^[a-z0-9]+$/.test(name))
  return illegal === undefined ? undefined : `attribute ${illegal}`
}

/** Attributes as headers, data as the body. Without a datacontenttype there is no Content-Type. */
export const toBinary = ({ attributes, data }: Event): Message => ({
  headers: [...attributes].map(([name, value]) => [
    name === "datacontenttype" ? "Content-Type" : `Ce-${canonical(name)}`,
    value
  ]),
  body: data
})

const envelope = ["specversion", "id", "source", "type", "subject", "datacontenttype", "dataschema", "time"]

/** All of it as one JSON document. */
export const toStructured = ({ attributes, data }: Event): Message => {
  const member = (name: string) =>
    attributes.has(name) ? [`"${name}":${escapeForHtml(JSON.stringify(attributes.get(name)))}`] : []
  const extensions = [...attributes.keys()].filter((name) => !envelope.includes(name)).toSorted()
  const members = [
    ...envelope.flatMap(member),
    ...dataMember(data, attributes.get("datacontenttype")),
    ...extensions.flatMap(member)
  ]
  return { headers: [["Content-Type", "application/cloudevents+json"]], body: Buffer.from(`{${members.join(",")}}`) }
}

const dataMember = (data: Buffer, contentType: string | undefined): ReadonlyArray<string> => {
  if (data.length === 0) return []
  if (isJson(contentType)) return [`"data":${data.toString("utf8")}`]
  return contentType?.startsWith("text/") === true
    ? [`"data":${escapeForHtml(JSON.stringify(data.toString("utf8")))}`]
    : [`"data_base64":"${data.toString("base64")}"`]
}
