/** Decisions that an earlier version recorded are decided again, or it is said that they are of an older form. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { decideAgain } from "../../cli/decisions/decide-again.ts"
import { readRecording } from "../../cli/recordings/recording.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { linesOf, record } from "../cli/recording.ts"
import { run } from "../cli/run.ts"
import { twoNodes } from "../memory/given.ts"

const file = `${import.meta.dirname}/e33f168/decisions.jsonl`
const readLines = Effect.flatMap(FileSystem.FileSystem, (files) => Effect.map(files.readFileString(file), linesOf))
const functions = loadFunctions(new URL("../../functions/", import.meta.url))

layer(NodeServices.layer)("enbi decisions", (it) => {
  it.effect("replay decides each record of then again, or says that it is of an older form", () =>
    Effect.gen(function* () {
      for (const line of yield* readLines) {
        const recording = yield* Effect.fromOption(readRecording(line))
        const verdict = yield* decideAgain(yield* functions, recording)
        if (verdict._tag === "Same") continue
        const older = `is of an older form: ${recording.record.function} observes other things today`
        const said = verdict._tag === "Differs" ? verdict.difference : verdict.why
        assert.include(said, older)
        assert.notInclude(said, "now it throws")
      }
    })
  )

  it.effect("replay counts them all", () =>
    Effect.gen(function* () {
      const { out } = yield* run(["decisions", "replay", file])
      const counts = /^Same decision: (\d+); different: (\d+); cannot be decided again: (\d+)\.$/.exec(
        linesOf(out).at(-1) ?? ""
      )
      const [same = 0, ...others] = (counts ?? []).slice(1).map(Number)
      assert.isAbove(same, 0)
      assert.strictEqual(
        others.reduce((sum, count) => sum + count, same),
        (yield* readLines).length
      )
    })
  )

  it.effect("list and show read them", () =>
    Effect.gen(function* () {
      const lines = yield* readLines
      const { code, out } = yield* run(["decisions", "list", file])
      assert.strictEqual(code, 0)
      assert.lengthOf(
        linesOf(out).filter((line) => !line.startsWith(" ")),
        lines.length
      )
      const shown = yield* run(["decisions", "show", file])
      assert.strictEqual(shown.code, 0)
    })
  )

  it.effect("replay says so of no record of today", () =>
    Effect.gen(function* () {
      const { lines } = yield* record({ given: twoNodes })
      for (const line of lines) {
        const recording = yield* Effect.fromOption(readRecording(line))
        const changed = { ...recording, record: { ...recording.record, actions: ["nothing that is decided"] } }
        const verdict = yield* decideAgain(yield* functions, changed)
        assert.strictEqual(verdict._tag, "Differs")
        assert.notInclude(JSON.stringify(verdict), "older form")
      }
    })
  )
})
