/** What Nix 2.34.8 really said: nix-2.34.8.jsonl was recorded from it. */
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { emptyLog, followLine } from "../../jobs/build/nix-log.ts"

const Recording = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String,
    step: Schema.Literals(["lock", "evaluate", "realise"]),
    exitCode: Schema.Int,
    lines: Schema.Array(Schema.String)
  })
)

export const recordings = readFileSync(new URL("nix-2.34.8.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => Schema.decodeSync(Recording)(line))

export const recorded = (name: string) => {
  const found = recordings.find((recording) => recording.name === name)
  if (found === undefined) throw new Error(`nobody recorded ${name}`)
  return { ...found, log: found.lines.reduce((log, line) => followLine(log, line)[0], emptyLog) }
}
