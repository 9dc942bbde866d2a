/**
 * The keys of a JSON text as written. Our parser keeps the last of two equal
 * keys; containerd's, Go's, merges what stands below them, and takes `LABELS`
 * for `Labels`. So a document that was checked must have no keys that the two
 * understand differently.
 */

/** A key, with how deep it stands: 1 at the top. */
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

// OCI image-spec 1.1, `config.md`: the fields that are checked here, or that lead to them.
const checkedFields = new Map(
  [
    ...["os", "architecture", "variant", "rootfs", "config"].map((field) => [1, field] as const),
    ...["diff_ids", "User", "WorkingDir", "Env", "Entrypoint", "Cmd", "Labels"].map((field) => [2, field] as const)
  ].map(([depth, field]) => [`${depth} ${fold(field)}`, field])
)

/** The first key that Go could understand in another way than we; undefined if there is none. */
export const ambiguousKey = (keys: ReadonlyArray<Key>): string | undefined =>
  keys.find(({ again, depth, key }) => again || (checkedFields.get(`${depth} ${fold(key)}`) ?? key) !== key)?.key

// Upper case first: Go holds the long s and the Kelvin sign for s and k too.
function fold(key: string): string {
  return key.toUpperCase().toLowerCase()
}

/**
 * Whether containerd or its CRI keep such labels for themselves: an image's
 * labels become its containers', and one of them is a command that containerd
 * runs as root (CVE-2026-53488).
 */
export const isReserved = (key: string): boolean =>
  /^(?:containerd\.io\/|io\.containerd\.|io\.cri-containerd)/iu.test(key)
