/** JSON as Go's encoder writes it, and the text of members as they stand in a document. */
import { Result } from "effect"

/** Keys sorted at every level, without blanks, and with what could end a script element escaped. */
export const sortedJson = (value: unknown): string => escapeForHtml(write(value))

/** As `JSON.stringify`, with the escapes that Go adds. */
export const escapeForHtml = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)

// By hand, because an object in JavaScript has its keys that look like numbers first, whatever their order was.
const write = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`).join(",")}}`
}

/**
 * The members of an object and the text of each: Knative hands `data` on byte for byte, blanks included.
 * Nothing when the text is no JSON object.
 */
export const membersOf = (text: string): ReadonlyMap<string, string> | undefined => {
  if (!isObject(text)) return undefined
  const inner = text.trim().slice(1, -1)
  const members = new Map<string, string>()
  for (const part of splitAtTopLevel(inner, ",")) {
    const [key = "", ...rest] = splitAtTopLevel(part, ":")
    if (rest.length > 0) members.set(String(JSON.parse(key)), rest.join(":").trim())
  }
  return members
}

const isObject = (text: string): boolean => {
  const value = Result.getOrUndefined(Result.try((): unknown => JSON.parse(text)))
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

const splitAtTopLevel = (text: string, separator: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let [start, depth, isQuoted] = [0, 0, false]
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (isQuoted && character === "\\") at += 1
    else if (character === '"') isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (character === "{" || character === "[") depth += 1
    else if (character === "}" || character === "]") depth -= 1
    else if (character === separator && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}
