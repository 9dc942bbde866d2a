/**
 * Reads a document as a Go program reads it into its types, which is how
 * containerd and CRI read an image's: `null` and what is missing are the zero
 * value, keys may differ in case, unknown ones are passed over, and what is of
 * another type is an error.
 * Rules: Go, package encoding/json, `Unmarshal`.
 */
import { Result } from "effect"
import type { Json } from "./go-json.ts"
import { isTime } from "./go-time.ts"

/** What a Go type takes. */
export type GoType =
  | "text"
  | "boolean"
  | "integer"
  | "time"
  | "bytes"
  /** Any value: read as whether it is there. */
  | "presence"
  | { readonly list: GoType }
  | { readonly map: GoType }
  /** What is null when it is not there. */
  | { readonly pointer: GoType }
  | { readonly fields: Readonly<Record<string, GoType>> }

/** What stops containerd, or us, from reading a document; `field` is the way to it, as `config.Env`. */
export interface Misfit {
  readonly field: string
  /** The end of a sentence that begins with the field. */
  readonly problem: string
  /** The document is ambiguous: containerd would take it, and other readers would understand it in another way. */
  readonly twice: boolean
}

/** The document as plain values, every field of `type` there. */
export const readAs = (type: GoType, document: Json): Result.Result<unknown, Misfit> => {
  const misfits: Array<Misfit> = []
  const value = read(type, document, "", (misfit) => misfits.push(misfit))
  const [first] = misfits
  return first === undefined ? Result.succeed(value) : Result.fail(first)
}

type Report = (misfit: Misfit) => void

const read = (type: GoType, json: Json, field: string, report: Report): unknown => {
  if (type === "presence") return true
  if (typeof type === "object" && "pointer" in type) {
    return json.kind === "null" ? null : read(type.pointer, json, field, report)
  }
  if (json.kind === "null") return zeroOf(type)
  const misfit = (problem: string) => {
    report({ field, problem, twice: false })
    return zeroOf(type)
  }
  const other = () => misfit(`is ${nouns[json.kind]}, but has to be ${nounOf(type)}`)
  if (type === "text") return json.kind === "text" ? json.value : other()
  if (type === "boolean") return json.kind === "boolean" ? json.value : other()
  if (type === "integer") {
    if (json.kind !== "number") return other()
    return isInteger(json.text)
      ? Number(json.text)
      : misfit(`is ${json.text.slice(0, 40)}, but has to be a whole number`)
  }
  if (type === "time") {
    if (json.kind !== "text") return other()
    return isTime(json.value) ? json.value : misfit(`is "${json.value.slice(0, 40)}", which is not a time`)
  }
  if (type === "bytes") {
    if (json.kind !== "text") return other()
    return base64.test(json.value.replaceAll(/[\r\n]/gu, "")) ? json.value : misfit("is not base64")
  }
  if ("list" in type) {
    if (json.kind !== "list") return other()
    return json.items.map((item, index) => read(type.list, item, `${field}[${index}]`, report))
  }
  if (json.kind !== "object") return other()
  return "map" in type
    ? readMap(type.map, json.members, field, report)
    : readFields(type.fields, json.members, field, report)
}

type Members = ReadonlyArray<readonly [string, Json]>

const readMap = (type: GoType, members: Members, field: string, report: Report) => {
  const map = new Map<string, unknown>()
  for (const [key, json] of members) {
    const name = `${field}["${key.slice(0, 60)}"]`
    if (map.has(key)) report({ field: name, problem: "is given twice", twice: true })
    map.set(key, read(type, json, name, report))
  }
  return Object.fromEntries(map)
}

const readFields = (fields: Readonly<Record<string, GoType>>, members: Members, field: string, report: Report) => {
  const found = new Map<string, unknown>()
  for (const [key, json] of members) {
    const name = Object.hasOwn(fields, key) ? key : Object.keys(fields).find((one) => fold(one) === fold(key))
    const type = name === undefined ? undefined : fields[name]
    if (name === undefined || type === undefined) continue
    const path = field === "" ? name : `${field}.${name}`
    if (found.has(name)) report({ field: path, problem: "is given twice", twice: true })
    found.set(name, read(type, json, path, report))
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, type]) => [name, found.has(name) ? found.get(name) : zeroOf(type)])
  )
}

const zeroOf = (type: GoType): unknown => {
  if (type === "text" || type === "bytes") return ""
  if (type === "integer") return 0
  if (type === "boolean" || type === "presence") return false
  if (type === "time" || "pointer" in type) return null
  if ("list" in type) return []
  return "map" in type ? {} : readFields(type.fields, [], "", () => {})
}

/** Go folds as Unicode does: beside the small letters, two others are folded to ASCII, the long s and the Kelvin sign. */
const fold = (key: string): string =>
  key
    .replaceAll("\u017f", "s")
    .replaceAll("\u212a", "k")
    .replaceAll(/[A-Z]/gu, (letter) => letter.toLowerCase())

const nouns = {
  null: "null",
  boolean: "true or false",
  text: "a text",
  number: "a number",
  list: "a list",
  object: "an object"
}

const nounOf = (type: GoType): string => {
  if (type === "text" || type === "bytes") return "a text"
  if (type === "integer") return "a whole number"
  if (type === "boolean") return "true or false"
  if (type === "time") return "a time"
  return typeof type === "object" && "list" in type ? "a list" : "an object"
}

const isInteger = (text: string): boolean =>
  /^-?[0-9]+$/u.test(text) && BigInt(text) >= -(2n ** 63n) && BigInt(text) < 2n ** 63n

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u
