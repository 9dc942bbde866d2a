/**
 * `enbi decisions`: what the functions decided and why, out of their log or of
 * a file, also far from the cluster; and what they would decide today.
 */
import { Console, Effect, Ref, Stream } from "effect"
import { Command } from "effect/cli"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { decideAgain } from "./decide-again.ts"
import { disorderFlags, isDisorder } from "../simulation/disorder.ts"
import { type Recording, recordingsIn } from "../recordings/recording.ts"
import { replayInMemory } from "../simulation/replay.ts"
import { selects, type Selection, selectionFlags } from "../recordings/selection.ts"
import { files, followFlag, linesOf } from "../recordings/source.ts"
import { BadAnswer, Trouble } from "../exit.ts"
import { documentOf, eventOf, outputFlag, rowOf, writeOf } from "../output.ts"

interface Wanted extends Selection {
  readonly file: ReadonlyArray<string>
  readonly follow?: boolean
}

/** Those that are meant; fails if there is no decision at all, since then something else was read. */
const recordings = Effect.fnUntraced(function* (wanted: Wanted) {
  const found = yield* Ref.make(0)
  const none = Effect.gen(function* () {
    if ((yield* Ref.get(found)) > 0) return
    const what = wanted.file.length === 0 ? "the functions' log" : wanted.file.join(", ")
    return yield* new Trouble({
      message: `There is no decision in ${what}. It must be a log of the functions (LOG_LEVEL Info or Debug), or a file of DECISIONS_FILE.`
    })
  })
  return recordingsIn(linesOf(wanted)).pipe(
    Stream.tap(() => Ref.update(found, (count) => count + 1)),
    Stream.filter(selects(wanted)),
    Stream.concat(Stream.fromEffectDrain(none))
  )
}, Stream.unwrap)

const asJson = ({ show }: Recording) => Console.log(JSON.stringify(show()))

const list = Command.make(
  "list",
  { file: files, ...selectionFlags, follow: followFlag, output: outputFlag },
  Effect.fn("decisions.list")(function* ({ output, ...wanted }) {
    yield* Stream.runForEach(
      recordings(wanted),
      output === "json" ? asJson : (recording) => Console.log(linesFor(recording))
    )
  })
).pipe(
  Command.withDescription("List decisions: who decided, on what event, and what was written"),
  Command.withExamples([
    {
      command: "enbi decisions list --name hello",
      description: "Everything decided about hello, read from the cluster"
    },
    {
      command: "kubectl logs -n enbi-system deploy/enbi-functions | enbi decisions list -",
      description: "The same, from a log file"
    },
    { command: "enbi decisions list --uid 1f0c… -o json > issue.jsonl", description: "Save them to attach to an issue" }
  ])
)

const showCommand = Command.make(
  "show",
  { file: files, ...selectionFlags, output: outputFlag },
  Effect.fn("decisions.show")(function* ({ output, ...wanted }) {
    yield* Stream.runForEach(
      recordings(wanted),
      output === "json" ? asJson : ({ id, show }) => Console.log(documentOf(id, show()))
    )
  })
).pipe(
  Command.withDescription("Show decisions whole: the event, what was observed, what was written"),
  Command.withExamples([{ command: "enbi decisions show --id 3f2a9c", description: "Show one of them" }])
)

const replay = Command.make(
  "replay",
  { file: files, ...selectionFlags, ...disorderFlags },
  Effect.fn("decisions.replay")(function* (wanted) {
    const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
    if (isDisorder(wanted)) {
      return yield* replayInMemory({ functions, recordings: yield* Stream.runCollect(recordings(wanted)) }, wanted)
    }
    const counts = { Same: 0, Differs: 0, Unknown: 0 }
    yield* Stream.runForEach(
      recordings(wanted),
      Effect.fnUntraced(function* (recording) {
        const verdict = yield* decideAgain(functions, recording)
        counts[verdict._tag] += 1
        const which = `${recording.id}  ${recording.record.time ?? ""}  ${recording.record.function}`
        if (verdict._tag === "Differs") yield* Console.log(`${which}\n${verdict.difference}`)
        if (verdict._tag === "Unknown") yield* Console.log(`${which}\n${verdict.why}\n`)
      })
    )
    yield* Console.log(
      `Same decision: ${counts.Same}; different: ${counts.Differs}; cannot be decided again: ${counts.Unknown}.`
    )
    if (counts.Differs > 0) return yield* new BadAnswer()
  })
).pipe(
  Command.withDescription(
    "Decide again from what was observed, and show decisions that now differ; exit code 1 if there are any. With --shuffle, --duplicate or --drop: replay everything in memory"
  ),
  Command.withExamples([
    {
      command: "enbi decisions replay issue.jsonl",
      description: "Replay a recording that you were sent, without a cluster"
    },
    {
      command: "enbi decisions replay issue.jsonl --shuffle --duplicate --drop",
      description:
        "Replay the whole recording against a simulated cluster with lost and duplicated events: is the end the same?"
    }
  ])
)

/** All of `enbi decisions`. */
export const decisions = Command.make("decisions").pipe(
  Command.withDescription("What the functions decided, and why"),
  Command.withSubcommands([list, showCommand, replay])
)

/** Who decided when and on what event, and below it each write. */
const linesFor = ({ id, record }: Recording): string => {
  const { decided, done, outcome, writes } = record
  const ended =
    decided === 0 ? "nothing to do" : outcome === "Done" ? "" : `${done} of ${decided} done, then ${outcome}`
  const head = rowOf(id, record.time ?? "", record.function.padEnd(20), eventOf(record.event), ended)
  const hidden = decided - writes.length
  return [head, ...writes.map(writeOf), ...(hidden > 0 ? [`and ${hidden} more`] : [])].join("\n  ")
}
