/** The README's tables that are made of the code, each between two comments that stay as they are. */
import { Effect, Schema } from "effect"
import { reasons } from "../api/condition.ts"
import { runbook } from "../api/runbook.ts"
import { metrics } from "../metrics.ts"
import { row } from "./table.ts"

/** The README has no place for a table: someone removed the comments around it. */
export class PlaceMissing extends Schema.TaggedError<PlaceMissing>()("PlaceMissing", { message: Schema.String }) {}

type Rows = ReadonlyArray<ReadonlyArray<string>>

const runbooks = new Map(Object.entries(runbook))

const tables: Readonly<Record<string, Rows>> = {
  metrics: [
    ["metric", "type", "meaning"],
    ...Object.values(metrics).map(({ description = "", id, type }) => [`\`${id}\``, type.toLowerCase(), description])
  ],
  reasons: [
    ["reason", "meaning, and what to do", "what to look at, and what to type"],
    ...Object.entries(reasons).map(([reason, sentence]) => [reason, sentence, runbooks.get(reason) ?? ""])
  ]
}

const format = ([head = [], ...rows]: Rows): string =>
  [row(head), `|${"---|".repeat(head.length)}`, ...rows.map(row)].join("\n")

/** `readme` with today's tables in their places. */
export const withTables = Effect.fn("withTables")(function* (readme: string) {
  let text = readme
  for (const [name, rows] of Object.entries(tables)) {
    const begin = `<!-- ${name}: made by npm run generate -->\n`
    const end = `\n<!-- end of ${name} -->`
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from)
      return yield* new PlaceMissing({ message: `README.md has no ${begin.trim()} … ${end.trim()}` })
    text = text.slice(0, from + begin.length) + format(rows) + text.slice(to)
  }
  return text
})
