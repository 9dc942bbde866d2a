/**
 * The input of a golden pair: `given`, a named world of its function, and what
 * differs from that, as a JSON merge patch. Where a merge patch would put an
 * object in the place of a list, the object patches the list's items, each
 * under its name: a new name is appended, null removes.
 */
import { Effect, FileSystem, Schema } from "effect"
import { parse } from "yaml"
import { isFields } from "../../lib/memory/objects.ts"

/** A case does not say why it is there, or names a world that is not. */
export class CaseUnreadable extends Schema.TaggedError<CaseUnreadable>()("CaseUnreadable", {
  message: Schema.String
}) {}

export const inputEnding = ".input.yaml"
const worldEnding = ".yaml"

/** The names of the files with this ending, without it. */
const namesIn = Effect.fnUntraced(function* (folder: string, ending: string) {
  const files = yield* FileSystem.FileSystem
  return (yield* files.readDirectory(folder))
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length))
    .toSorted()
})

/** The names of a function's cases. */
export const casesIn = (folder: string) => namesIn(folder, inputEnding)

/** A function's worlds, by their names. */
export const readWorlds = Effect.fn("readWorlds")(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const worlds = new Map<string, unknown>()
  for (const name of yield* namesIn(`${folder}/given`, worldEnding)) {
    worlds.set(name, parse(yield* files.readFileString(`${folder}/given/${name}${worldEnding}`)))
  }
  return worlds
})

/** The world of a case. */
export const expand = Effect.fn("expand")(function* (text: string, worlds: ReadonlyMap<string, unknown>) {
  if (!/^# why: \S/.test(text)) {
    return yield* new CaseUnreadable({ message: "The first line has to be `# why: ` and why this case exists." })
  }
  const { given, ...patch } = yield* Schema.decodeUnknownEffect(Case)(parse(text))
  if (!worlds.has(given)) {
    const names = [...worlds.keys()].join(", ")
    return yield* new CaseUnreadable({ message: `given: ${given} names no world; there are ${names}.` })
  }
  return patched(worlds.get(given), patch)
})

const Case = Schema.StructWithRest(Schema.Struct({ given: Schema.String }), [
  Schema.Record(Schema.String, Schema.Unknown)
])

/** `value` with the patch in it. */
export const patched = (value: unknown, patch: unknown): unknown => {
  if (!isFields(patch)) return patch
  const parts = new Map(
    Array.isArray(value)
      ? value.map((item: unknown, index) => [nameOf(item) ?? String(index), item])
      : Object.entries(isFields(value) ? value : {})
  )
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) parts.delete(name)
    else parts.set(name, patched(parts.get(name), change))
  }
  return Array.isArray(value) ? [...parts.values()] : Object.fromEntries(parts)
}

/** What an item of a list is called; without a name by its place, from 0. */
const nameOf = (item: unknown): string | undefined =>
  isFields(item)
    ? [item["name"], item["type"], nameOf(item["metadata"]), nameOf(item["node"])].find(
        (name) => typeof name === "string"
      )
    : undefined
