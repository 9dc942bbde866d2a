/**
 * Attribute values in HTTP headers (HTTP binding 1.0.2, section 3.1.3.2). The
 * specification has them percent-encoded; Knative and the Go and Java SDKs
 * write and read them raw, so a reader has to know the writer.
 */
import { Result } from "effect"
import { MalformedEvent } from "./event.ts"

/** `raw`: UTF-8 as it is, in which a percent sign means itself. */
export type Encoding = "percent" | "raw"

const malformed = (message: string) => () => new MalformedEvent({ message })

/** `value` as Node gives it, in which each character is one byte. */
export const decodeHeaderValue = (value: string, encoding: Encoding): Result.Result<string, MalformedEvent> => {
  if (encoding === "raw") return decodeUtf8(Buffer.from(value, "latin1"))
  if (/[^\t\u{20}-\u{7e}]/u.test(value)) return Result.fail(malformed("an attribute is not percent-encoded")())
  // Versions before 1.0.1 knew quoted strings, and receivers must still read them.
  const quoted = /^"((?:[^"\\]|\\.)*)"$/u.exec(value)?.[1]
  return Result.try({
    try: () => decodeURIComponent(quoted === undefined ? value : quoted.replaceAll(/\\(.)/gu, "$1")),
    catch: malformed("an attribute is percent-encoded in a wrong way")
  })
}

/** What `decodeHeaderValue` makes the same text of. */
export const encodeHeaderValue = (text: string, encoding: Encoding): string =>
  encoding === "raw"
    ? Buffer.from(text, "utf8").toString("latin1")
    : text.replaceAll(/[^\u{21}\u{23}\u{24}\u{26}-\u{7e}]/gu, (character) => encodeURIComponent(character))

/** Fails on what is not UTF-8; a byte order mark is left out. */
export const decodeUtf8 = (bytes: Uint8Array): Result.Result<string, MalformedEvent> =>
  Result.try({ try: () => utf8.decode(bytes), catch: malformed("not UTF-8") })

const utf8 = new TextDecoder("utf-8", { fatal: true })
