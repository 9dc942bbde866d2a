/** `docs/decisions.md`: every golden pair in one line, which together say what each function does. */
import { Effect, FileSystem, Schema } from "effect"
import { parse } from "yaml"
import { Condition } from "../lib/api/nixbuild-condition.ts"
import { page, table } from "./markdown.ts"

const optional = Schema.optionalKey

const Actions = Schema.Array(
  Schema.Struct({
    action: Schema.String,
    why: Schema.String,
    target: optional(Schema.Struct({ kind: Schema.String, name: Schema.String })),
    object: optional(
      Schema.Struct({
        kind: Schema.String,
        metadata: Schema.Struct({ name: Schema.String }),
        reason: optional(Schema.String)
      })
    ),
    status: optional(Schema.Struct({ conditions: Schema.Array(Condition) }))
  })
)

const inputEnding = ".input.yaml"

/** `functions`: their names. */
export const makeDecisions = Effect.fn("makeDecisions")(function* (functions: ReadonlyArray<string>) {
  return page(
    "the pairs in `test/decide`",
    "# Decisions",
    "What each function does in which case, and why the case matters. The pairs in `test/decide` have the whole world and the whole actions.",
    ...(yield* Effect.forEach(functions, tableOf))
  )
})

const tableOf = Effect.fnUntraced(function* (name: string) {
  const files = yield* FileSystem.FileSystem
  const folder = `test/decide/${name}`
  const cases = (yield* files.readDirectory(folder))
    .filter((file) => file.endsWith(inputEnding))
    .map((file) => file.slice(0, -inputEnding.length))
    .toSorted()
  const rows = yield* Effect.forEach(cases, (file) =>
    Effect.gen(function* () {
      const input = yield* files.readFileString(`${folder}/${file}${inputEnding}`)
      const output = yield* files.readFileString(`${folder}/${file}.output.yaml`)
      const actions = yield* Schema.decodeUnknownEffect(Actions)(parse(output))
      return [sentenceOf(file), wordsOf(actions), /^# why: (.*)$/m.exec(input)?.[1] ?? ""]
    })
  )
  return `## ${name}\n\n${table(["case", "what follows", "why"], rows)}`
})

const sentenceOf = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1).replaceAll("-", " ")}`

const wordsOf = (actions: typeof Actions.Type): string =>
  actions.length === 0 ? "nothing" : actions.map(wordsOfAction).join("<br>")

const wordsOfAction = ({ action, object, status, target, why }: (typeof Actions.Type)[number]): string => {
  if (object?.reason !== undefined) return `${action} ${object.kind} ${object.reason}`
  const { kind = "", name = "" } = target ?? { kind: object?.kind, name: object?.metadata.name }
  const ready = status?.conditions.find(({ type }) => type === "Ready")
  const outcome = ready === undefined ? "" : ` (Ready ${ready.status}, ${ready.reason})`
  return `${action} ${kind} ${withoutHash(name)}${outcome}: ${why}`
}

// The end of a computed name says nothing to a reader.
const withoutHash = (name: string): string => name.replace(/(?<=[-.])[0-9a-f]{10,40}(?=-x$|$)/, "…")
