/** The README's tables that are made of the code; that they are current is for `generated.test.ts` to say. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { reasons } from "../lib/api/condition.ts"
import { withTables } from "../lib/generate/readme.ts"
import { metrics } from "../lib/telemetry/metrics.ts"

const places =
  "# A\n\n<!-- metrics: made by npm run generate -->\nold\n<!-- end of metrics -->\n\nmiddle\n\n<!-- reasons: made by npm run generate -->\n<!-- end of reasons -->\n\nend\n"

/** The cells of each row whose first cell matches. */
const rowsOf = (text: string, first: RegExp): ReadonlyArray<ReadonlyArray<string>> =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.slice(2, -2).split(/ (?<!\\)\| /))
    .filter(([cell = ""]) => first.test(cell))

describe("README", () => {
  it.effect("has a row for each reason: its meaning, and what to type", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const rows = rowsOf(yield* files.readFileString("README.md"), /^[A-Z]\w+$/)
      assert.deepStrictEqual(
        rows.map(([reason, sentence]) => [reason, sentence]),
        Object.entries(reasons)
      )
      for (const row of rows) {
        assert.lengthOf(row, 3)
        assert.match(row[2] ?? "", /`(kubectl|nix) |^Nothing to do/)
        assert.strictEqual((row[2] ?? "").split("`").length % 2, 1, `a command has no end: ${row[2]}`)
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("names every metric of the code, and no other", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const readme = yield* files.readFileString("README.md")
      const names = Object.values(metrics).map(({ id }) => id)
      assert.deepStrictEqual(
        rowsOf(readme, /^`nixbuild_/).map(([name]) => name),
        names.map((name) => `\`${name}\``)
      )
      assert.sameMembers([...new Set(readme.match(/\bnixbuild_[a-z_]+/g))], names)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("gets its tables between their comments, and nothing else of it changes", () =>
    Effect.gen(function* () {
      const text = yield* withTables(places)
      assert.notInclude(text, "\nold\n")
      assert.strictEqual(yield* withTables(text), text)
      const outside = text.replace(/^\|.*\n/gm, "")
      assert.strictEqual(outside, places.replace("old\n", ""))
    })
  )

  it.effect("that lost the place of a table is not written", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(withTables(places.replace("<!-- end of metrics -->", "")))
      assert.include(error.message, "<!-- end of metrics -->")
    })
  )
})
