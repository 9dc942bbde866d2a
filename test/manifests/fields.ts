/** Which fields a manifest has, as paths, and manifests that differ in one field. */

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const named = new Set(["annotations", "attributes", "data", "labels", "matchLabels"])

/** Whether the keys of the map at `path` are not fields but say what their author wants. */
const isFree = (path: string, map: Fields): boolean =>
  named.has(path.slice(path.lastIndexOf(".") + 1)) || Object.keys(map).some((key) => key.includes("/"))

/** The paths of all fields in `value`, those of what holds others too. An element of a list is `[]`, a free key `*`. */
export const fieldsOf = (value: unknown, path = ""): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap((element: unknown) => fieldsOf(element, `${path}[]`))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const field = `${path === "" ? "" : `${path}.`}${isFree(path, value) ? "*" : key}`
    return [field, ...fieldsOf(inner, field)]
  })
}

type Change = (value: unknown) => unknown

/** `value` with `change` made at `path`, wherever the path leads. */
export const changedAt = (value: unknown, path: string, change: Change): unknown => go(value, split(path), change)

const split = (path: string): ReadonlyArray<string> => path.replaceAll("[]", ".[]").split(".")

const go = (value: unknown, [key, ...rest]: ReadonlyArray<string>, change: Change): unknown => {
  if (key === undefined) return change(value)
  if (key === "[]") return Array.isArray(value) ? value.map((element: unknown) => go(element, rest, change)) : value
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, name === key || key === "*" ? go(inner, rest, change) : inner])
  )
}

/** `value` with the field at `path` under a name that nobody knows. */
export const misspelledAt = (value: unknown, path: string): unknown => {
  const dot = path.lastIndexOf(".")
  const name = path.slice(dot + 1)
  const misspell: Change = (holder) =>
    isObject(holder)
      ? Object.fromEntries(Object.entries(holder).map(([key, inner]) => [key === name ? `${key}x` : key, inner]))
      : holder
  return dot < 0 ? misspell(value) : changedAt(value, path.slice(0, dot), misspell)
}
