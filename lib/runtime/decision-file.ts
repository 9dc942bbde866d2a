/**
 * Keeps the decisions of a process in the file that `DECISIONS_FILE` names, one
 * per line, for `enbi decisions` to read. They are whole, unlike in the log:
 * what was observed and all actions, including those of events that changed
 * nothing. When the file reaches half of `DECISIONS_LIMIT`, it replaces
 * `<file>.1`. A decision does not fail because the file does.
 */
import { Config, Context, Effect, FileSystem, Layer, Option, Path, Schema, Semaphore } from "effect"
import { type Decision, makeRecord, makeWholeRecord } from "./decision-record.ts"
import { BytesFromQuantity } from "../kubernetes/quantity.ts"
import { preciseTime } from "../kubernetes/time.ts"

/** The file that `DECISIONS_FILE` names is not there to be written. */
export class DecisionsFileUnusable extends Schema.TaggedError<DecisionsFileUnusable>()("DecisionsFileUnusable", {
  message: Schema.String
}) {}

const settings = Config.all({
  file: Config.NonEmptyString("DECISIONS_FILE").pipe(Config.option),
  limitBytes: Config.schema(BytesFromQuantity, "DECISIONS_LIMIT").pipe(Config.withDefault(64 * 1024 ** 2))
})

/** Takes each decision; without `DECISIONS_FILE` it leaves it at that. */
export class DecisionsFile extends Context.Reference<(decision: Decision) => Effect.Effect<void>>(
  "enbi/lib/runtime/DecisionsFile",
  { defaultValue: () => () => Effect.void }
) {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const { file, limitBytes } = yield* settings
      return Option.isNone(file) ? () => Effect.void : yield* appendTo(file.value, limitBytes / 2)
    })
  )
}

const appendTo = Effect.fnUntraced(function* (file: string, maxBytes: number) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // Only for the operator of the functions.
  const append = (text: string) => files.writeFileString(file, text, { flag: "a", mode: 0o600 })
  let size = yield* files.makeDirectory(path.dirname(file), { recursive: true }).pipe(
    Effect.andThen(append("")),
    Effect.andThen(files.stat(file)),
    Effect.map((stat) => Number(stat.size)),
    Effect.mapError(
      (error) =>
        new DecisionsFileUnusable({
          message: `DECISIONS_FILE=${file} cannot be written (${error.reason._tag}): choose a file on a writable volume, or unset it.`
        })
    )
  )
  let isTold = false
  const keep = Effect.fnUntraced(function* (decision: Decision) {
    const time = yield* preciseTime
    const lineOf = (record: unknown) => `${JSON.stringify(Object.assign({ time }, record))}\n`
    const whole = lineOf(makeWholeRecord(decision))
    const line = Buffer.byteLength(whole) <= maxBytes ? whole : lineOf(makeRecord(decision))
    const length = Buffer.byteLength(line)
    if (size > 0 && size + length > maxBytes) {
      yield* files.rename(file, `${file}.1`)
      size = 0
    }
    yield* append(line)
    size += length
    isTold = false
  })
  const lock = yield* Semaphore.make(1)
  return (decision: Decision) =>
    lock.withPermit(
      Effect.catch(keep(decision), (error) => {
        if (isTold) return Effect.void
        // Once for all that fail in a row: the decision itself is in the log.
        isTold = true
        return Effect.logWarning("decisions are not written to the file for now", error)
      })
    )
})
