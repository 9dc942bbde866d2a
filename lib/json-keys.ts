/**
 * The keys of a JSON text as written, those included that a parser drops
 * because an equal one comes later.
 */

/** A key with its depth: 1 at the top. */
export interface Key {
  readonly key: string
  readonly depth: number
  /** The same object had it before. */
  readonly again: boolean
}

// In valid JSON a quote outside of a string begins one, and only a key has a colon behind it.
const token = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/gsu

/** All keys in the text of a JSON document, which must be valid. */
export const keysOf = (text: string): ReadonlyArray<Key> => {
  const keys: Array<Key> = []
  const open: Array<Set<string>> = []
  for (const [whole, literal, colon] of text.matchAll(token)) {
    if (literal === undefined) {
      if (whole === "{" || whole === "[") open.push(new Set())
      else open.pop()
    } else if (colon !== undefined) {
      const key = String(JSON.parse(literal))
      const siblings = open.at(-1)
      keys.push({ key, depth: open.length, again: siblings?.has(key) ?? false })
      siblings?.add(key)
    }
  }
  return keys
}
