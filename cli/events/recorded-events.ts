/** The events that a command is about: read, then chosen by its flags. */
import { Effect, Stream } from "effect"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { eventsIn } from "./event-file.ts"
import { type EventSelection, eventSelectionFlags, selectsEvent } from "../recordings/selection.ts"
import { files, linesOf } from "../recordings/source.ts"
import { Trouble } from "../exit.ts"

/** The flags and arguments that say which. */
export const recordedEvents = { file: files, ...eventSelectionFlags }

interface Wanted extends EventSelection {
  readonly file: ReadonlyArray<string>
}

/** With the functions that may get them; fails if there is no event at all, since then something else was read. */
export const readEvents = Effect.fnUntraced(function* (wanted: Wanted) {
  const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  const all = eventsIn(yield* Stream.runCollect(linesOf(wanted)))
  if (all.length === 0) {
    const what = wanted.file.length === 0 ? "the functions' log" : wanted.file.join(", ")
    return yield* new Trouble({
      message: `There is no event in ${what}. Give CloudEvents as JSON or YAML, decisions, a dead letter log, or what kubectl get -o json prints.`
    })
  }
  return { functions, events: all.filter(selectsEvent(wanted, functions)) }
})
