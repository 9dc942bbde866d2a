/** The JSON format of CloudEvents 1.0.2: an event as one JSON object, as structured mode and files have it. */
import { Result, Schema } from "effect"
import { keysOf } from "../json-keys.ts"
import { type Event, isJson, MalformedEvent, readAttributes } from "./event.ts"

const malformed = (message: string) => new MalformedEvent({ message })

/** The event in a JSON text. */
export const parseEvent = (text: string): Result.Result<Event, MalformedEvent> =>
  Result.flatMap(parseJson(text), (value) =>
    // Of two equal names another reader could have taken the other.
    keysOf(text).some(({ again, depth }) => again && depth === 1)
      ? Result.fail(malformed("an attribute comes twice"))
      : readEvent(value)
  )

export const parseJson = (text: string): Result.Result<unknown, MalformedEvent> =>
  Result.try({ try: (): unknown => JSON.parse(text), catch: () => malformed("not JSON") })

/** The event that a JSON object is. */
export const readEvent = (value: unknown): Result.Result<Event, MalformedEvent> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return Result.fail(malformed("not a JSON object"))
  }
  const all = Object.entries(value).filter(([, member]) => member !== undefined)
  const members = all.filter(([name, member]) => name !== "data" && name !== "data_base64" && member !== null)
  return Result.flatMap(readAttributes(members.map(([name, member]) => [name, textOf(name, member)])), (attributes) =>
    Result.map(dataOf(new Map(all), attributes.datacontenttype), (data) => ({ attributes, ...data }))
  )
}

const known = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"]

/** Extensions may be booleans and 32-bit integers; as a header has them, they are text. */
const textOf = (name: string, value: unknown): unknown => {
  const isInteger = typeof value === "number" && value === (value | 0)
  return !known.includes(name) && (typeof value === "boolean" || isInteger) ? String(value) : value
}

const dataOf = (
  members: ReadonlyMap<string, unknown>,
  mediaType: string | undefined
): Result.Result<Pick<Event, "data">, MalformedEvent> => {
  const [base64, data] = [members.get("data_base64"), members.get("data")]
  // Attributes that are null are absent, and so is this member, which has no other use for null.
  if (base64 !== undefined && base64 !== null) {
    if (members.has("data")) return Result.fail(malformed("both data and data_base64"))
    return decodeBase64(base64).pipe(
      Result.map((bytes) => ({ data: bytes })),
      Result.mapError(() => malformed("data_base64 is not Base64"))
    )
  }
  if (!members.has("data")) return Result.succeed({})
  // Without a media type, data is JSON.
  return mediaType === undefined || isJson(mediaType) || typeof data === "string"
    ? Result.succeed({ data })
    : Result.fail(malformed("data is JSON, but datacontenttype says otherwise"))
}

const decodeBase64 = Schema.decodeUnknownResult(Schema.Uint8ArrayFromBase64)

/** The JSON object that `readEvent` makes the same event of. */
export const writeEvent = ({ attributes, ...rest }: Event): Readonly<Record<string, unknown>> => ({
  ...attributes,
  ...(rest.data instanceof Uint8Array ? { data_base64: Buffer.from(rest.data).toString("base64") } : rest)
})
