/**
 * The HTTP binding of CloudEvents 1.0.2. Binary mode: attributes are headers,
 * and the body is the data. Structured mode: the body is the event in JSON.
 * Batches are refused: there is no use for them, and an answer could not say
 * which of its events have to be sent again.
 *
 * Why not the SDK's: `cloudevents` 10.0.0 invents ids and times, takes any
 * version, loses data that is 0, false or "", and never decodes headers.
 */
import { Result } from "effect"
import { charsetOf, type Event, isJson, isText, MalformedEvent, readAttributes } from "./event.ts"
import { decodeHeaderValue, decodeUtf8, encodeHeaderValue, type Encoding } from "./header-value.ts"
import { parseEvent, parseJson, writeEvent } from "./json-format.ts"

/** What of an HTTP request matters; the names of headers are in lower case. */
export interface Message {
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

const malformed = (message: string) => Result.fail(new MalformedEvent({ message }))

/** The event that a request carries; `encoding` is that of its headers. */
export const decodeMessage = (message: Message, encoding: Encoding): Result.Result<Event, MalformedEvent> => {
  const { body, headers } = message
  const contentType = headers["content-type"] ?? ""
  if ((headers["content-encoding"] ?? "identity") !== "identity") return malformed("the body is compressed")
  if (/^[ \t]*application\/cloudevents-batch/i.test(contentType)) return malformed("batches are not taken")
  if (!/^[ \t]*application\/cloudevents/i.test(contentType)) return decodeBinary(message, encoding)
  if (!/^[ \t]*application\/cloudevents\+json[ \t]*(?:;|$)/i.test(contentType)) {
    return malformed("the event is in another format than JSON")
  }
  if ((charsetOf(contentType) ?? "utf-8") !== "utf-8") return malformed("not UTF-8")
  return Result.flatMap(decodeUtf8(body), parseEvent)
}

const prefix = "ce-"

const decodeBinary = ({ body, headers }: Message, encoding: Encoding): Result.Result<Event, MalformedEvent> =>
  Result.gen(function* () {
    const entries: Array<readonly [string, string]> = []
    for (const [header, value] of Object.entries(headers)) {
      if (!header.startsWith(prefix) || value === undefined) continue
      const name = header.slice(prefix.length)
      if (name === "datacontenttype") return yield* malformed("datacontenttype is the header Content-Type")
      entries.push([name, yield* decodeHeaderValue(value, encoding)])
    }
    if (entries.length === 0) return yield* malformed("neither ce- headers nor application/cloudevents+json")
    const mediaType = headers["content-type"]
    const attributes = yield* readAttributes([
      ...entries,
      ...(mediaType === undefined ? [] : [["datacontenttype", mediaType] as const])
    ])
    if (body.length === 0) return { attributes }
    if (isJson(mediaType)) return { attributes, data: yield* Result.flatMap(decodeUtf8(body), parseJson) }
    return { attributes, data: isText(mediaType) ? yield* decodeUtf8(body) : body }
  })

/** In binary mode. */
export const encodeBinary = ({ attributes, ...rest }: Event, encoding: Encoding): Message => {
  // In memory and in JSON, data without a media type is JSON; in HTTP it would be nothing in particular.
  const implied = rest.data === undefined || rest.data instanceof Uint8Array ? undefined : "application/json"
  const { datacontenttype = implied, ...others } = attributes
  const headers = Object.entries(others).map(([name, value]) => [prefix + name, encodeHeaderValue(value, encoding)])
  return {
    headers: {
      ...Object.fromEntries(headers),
      ...(datacontenttype === undefined ? {} : { "content-type": datacontenttype })
    },
    body: bodyOf(rest.data, datacontenttype)
  }
}

const bodyOf = (data: unknown, mediaType: string | undefined): Uint8Array => {
  if (data === undefined || data instanceof Uint8Array) return data ?? new Uint8Array()
  return Buffer.from(typeof data === "string" && !isJson(mediaType) ? data : JSON.stringify(data))
}

/** In structured mode. */
export const encodeStructured = (event: Event): Message => ({
  headers: { "content-type": "application/cloudevents+json" },
  body: Buffer.from(JSON.stringify(writeEvent(event)))
})
