/**
 * Reads a JSON text as Go's encoding/json does before it knows what is wanted:
 * members in their order, equal keys and all, and numbers as they are written.
 * Grammar: RFC 8259.
 */
import { Result } from "effect"

export type Json =
  | { readonly kind: "null" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "list"; readonly items: ReadonlyArray<Json> }
  | { readonly kind: "object"; readonly members: ReadonlyArray<readonly [key: string, value: Json]> }

// No image's document comes near; what is nested deeper would only use up the stack.
const maxDepth = 500

const space = "[\\t\\n\\r ]*"
const token = new RegExp(
  `${space}(?:(?<mark>[{}[\\]:,])|(?<text>"[^"\\\\\\x00-\\x1f]*(?:\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\\\\x00-\\x1f]*)*")` +
    "|(?<number>-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?<word>true|false|null))",
  "yu"
)

interface Token {
  readonly end: number
  readonly mark?: string | undefined
  readonly value?: Json | undefined
}

type Parsed<A> = Result.Result<{ readonly value: A; readonly end: number }, string>

/** The one value in `text`; the failure says where the text stops being JSON. */
export const parseJson = (text: string): Result.Result<Json, string> =>
  Result.flatMap(parseFirst(text), ({ end, value }) =>
    /^[\t\n\r ]*$/u.test(text.slice(end)) ? Result.succeed(value) : unexpected(text, end)
  )

/** The first value in `text`, as a Go decoder takes it from a stream: what follows is not looked at. */
export const parseFirst = (text: string): Parsed<Json> => parseValue(text, nextToken(text, 0), 0)

const parseValue = (text: string, first: Token, depth: number): Parsed<Json> => {
  if (first.value !== undefined) return Result.succeed({ value: first.value, end: first.end })
  if (depth > maxDepth) return Result.fail(`it is nested more than ${maxDepth} levels deep`)
  if (first.mark === "{") return parseObject(text, first.end, depth)
  if (first.mark === "[") return parseList(text, first.end, depth)
  return unexpected(text, first.end - (first.mark?.length ?? 0))
}

const parseList = (text: string, start: number, depth: number): Parsed<Json> => {
  const items: Array<Json> = []
  let next = nextToken(text, start)
  if (next.mark === "]") return Result.succeed({ value: { kind: "list", items }, end: next.end })
  while (true) {
    const item = parseValue(text, next, depth + 1)
    if (Result.isFailure(item)) return item
    items.push(item.success.value)
    const { end, mark } = nextToken(text, item.success.end)
    if (mark === "]") return Result.succeed({ value: { kind: "list", items }, end })
    if (mark !== ",") return unexpected(text, item.success.end)
    next = nextToken(text, end)
  }
}

const parseObject = (text: string, start: number, depth: number): Parsed<Json> => {
  const members: Array<readonly [string, Json]> = []
  let key = nextToken(text, start)
  if (key.mark === "}") return Result.succeed({ value: { kind: "object", members }, end: key.end })
  while (true) {
    const colon = nextToken(text, key.end)
    if (key.value?.kind !== "text" || colon.mark !== ":") return unexpected(text, key.end)
    const value = parseValue(text, nextToken(text, colon.end), depth + 1)
    if (Result.isFailure(value)) return value
    members.push([key.value.value, value.success.value])
    const { end, mark } = nextToken(text, value.success.end)
    if (mark === "}") return Result.succeed({ value: { kind: "object", members }, end })
    if (mark !== ",") return unexpected(text, value.success.end)
    key = nextToken(text, end)
  }
}

const nextToken = (text: string, start: number): Token => {
  token.lastIndex = start
  const groups = token.exec(text)?.groups
  if (groups === undefined) return { end: start }
  const end = token.lastIndex
  const { mark, number, text: literal, word } = groups
  if (mark !== undefined) return { end, mark }
  if (number !== undefined) return { end, value: { kind: "number", text: number } }
  if (word !== undefined)
    return { end, value: word === "null" ? { kind: word } : { kind: "boolean", value: word === "true" } }
  // Go puts U+FFFD for half a character.
  return { end, value: { kind: "text", value: String(JSON.parse(literal ?? '""')).toWellFormed() } }
}

const unexpected = (text: string, at: number) =>
  Result.fail(text.slice(at).trim() === "" ? "it ends too early" : `it is not JSON from character ${at + 1} on`)
