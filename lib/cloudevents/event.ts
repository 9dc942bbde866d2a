/**
 * A CloudEvent 1.0.2 in memory: its context attributes, all as the strings
 * that they are in HTTP headers, and its data. What comes off a wire becomes
 * one only if it keeps to the specification; nothing is invented or repaired.
 */
import { Result, Schema } from "effect"

/** What arrived is no CloudEvent. The message names what is wrong with it but not what was sent. */
export class MalformedEvent extends Schema.TaggedError<MalformedEvent>()("MalformedEvent", {
  message: Schema.String
}) {}

const matching = (pattern: RegExp, message: string) => Schema.String.check(Schema.isPattern(pattern, { message }))

// Section "Type System": no control characters, no half of a surrogate pair, no code point that is no character.
const Text = matching(/^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]*$/u, "has characters that are not allowed")
const NonEmpty = Text.check(Schema.isMinLength(1, { message: "is empty" }))

// The characters of RFC 3986, with one fragment at most.
const uriCharacters = String.raw`(?:[\w.~:/?[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})`
const UriReference = NonEmpty.check(
  Schema.isPattern(new RegExp(`^${uriCharacters}*(?:#${uriCharacters}*)?$`, "u"), {
    message: "is not a URI-reference"
  })
)
const Uri = UriReference.check(Schema.isPattern(/^[A-Za-z][A-Za-z0-9+.-]*:/u, { message: "is not an absolute URI" }))

const token = String.raw`[\w!#$%&'*+.^|~\x60-]+`
const MediaType = matching(
  new RegExp(String.raw`^${token}/${token}(?:[ \t]*;[ \t]*${token}=(?:${token}|"(?:[^"\\]|\\.)*"))*[ \t]*$`, "u"),
  "is not a media type"
)

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/u

const isTimestamp = (text: string): boolean => {
  const numbers = (rfc3339.exec(text) ?? []).slice(1).map((part) => Number(part ?? 0))
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = numbers
  const daysInMonth = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  return (
    numbers.length > 0 &&
    [month >= 1, month <= 12, day >= 1, day <= daysInMonth, hour <= 23, minute <= 59, second <= 60].every(Boolean) &&
    offsetHour <= 23 &&
    offsetMinute <= 59
  )
}

const Timestamp = Schema.String.check(Schema.makeFilter((text) => isTimestamp(text) || "is not a time of RFC 3339"))

/** The context attributes; extensions stand beside the others. */
export const Attributes = Schema.StructWithRest(
  Schema.Struct({
    specversion: Schema.Literal("1.0"),
    id: NonEmpty,
    source: UriReference,
    type: NonEmpty,
    subject: Schema.optionalKey(NonEmpty),
    time: Schema.optionalKey(Timestamp),
    datacontenttype: Schema.optionalKey(MediaType),
    dataschema: Schema.optionalKey(Uri)
  }),
  [Schema.Record(Schema.String, Text)]
)
export type Attributes = typeof Attributes.Type

/**
 * Data is what JSON says when `datacontenttype` is JSON, a string when it is
 * text in UTF-8, and bytes in all other cases. It is absent, or it is there.
 */
export interface Event {
  readonly attributes: Attributes
  readonly data?: unknown
}

/** Whether the data of such a media type is JSON. */
export const isJson = (mediaType: string | undefined): boolean => /^[^;]*[/+]json[ \t]*(?:;|$)/i.test(mediaType ?? "")

/** Whether the data of such a media type is text that we can read. */
export const isText = (mediaType: string | undefined): boolean =>
  /^text\//i.test(mediaType ?? "") && (charsetOf(mediaType) ?? "utf-8") === "utf-8"

export const charsetOf = (mediaType = ""): string | undefined =>
  /;[ \t]*charset="?([^";\s]+)/i.exec(mediaType)?.[1]?.toLowerCase()

/** Attributes from names and values of any kind, such as a JSON object has. */
export const readAttributes = (
  entries: ReadonlyArray<readonly [name: string, value: unknown]>
): Result.Result<Attributes, MalformedEvent> => {
  const [misnamed] = entries.filter(([name]) => !/^[a-z0-9]+$/.test(name) || name === "data")
  if (misnamed !== undefined) return Result.fail(new MalformedEvent({ message: "an attribute's name is not allowed" }))
  return decodeAttributes(Object.fromEntries(entries)).pipe(
    Result.mapError(({ message }) => new MalformedEvent({ message: message.replaceAll(/\s+/g, " ") }))
  )
}

const decodeAttributes = Schema.decodeUnknownResult(Attributes)
