/**
 * Takes a function through one object: observe, decide, interpret. A write
 * that met a newer object is decided anew, three times; then the next event or
 * sweep has another look. Every run that wanted to write leaves a decision
 * record that holds all that the decision was made of: one log line, and one of
 * the file that `DECISIONS_FILE` names.
 */
import { Clock, Effect, LogLevel, Option, Schedule } from "effect"
import type { Reference } from "./api/kind.ts"
import { type Decision, makeRecord } from "./decision-record.ts"
import { DecisionsFile } from "./decisions-file.ts"
import { type CloudEvent, isSweep } from "./events.ts"
import type { EnbiFunction } from "./function.ts"
import { type Done, interpret, type NameTaken, type Refused } from "./interpret.ts"
import type { KubernetesError } from "./kube/error.ts"
import { countDecision, countSweepRepair, measureLag, type Outcome } from "./metrics.ts"
import { trace } from "./traces/trace.ts"

/** Fails as `observe` and `interpret` do; whoever brought the event decides what then. */
export const run = Effect.fn("run")(function* <O>(definition: EnbiFunction<O>, event: CloudEvent, subject: Reference) {
  yield* measureLag(event)
  const about = { function: definition.name, event, subject }
  const act = Effect.fnUntraced(function* (observed: O, startMillis: number) {
    const actions = definition.decide(observed)
    if (actions.length === 0) {
      // That an event changes nothing is worth keeping; that a sweep finds nothing is so every 30 s.
      if (!isSweep(event)) yield* keep({ ...about, observed, actions, done: 0, outcome: "Done" })
      return yield* Effect.logDebug("nothing to do", about)
    }
    const done: Array<Done> = []
    const tell = Effect.fnUntraced(function* (outcome: Outcome, words: string) {
      // What is refused is tried with every sweep; that it is refused was worth a line once.
      const isOld = outcome === "Refused" && done.length === 0 && isSweep(event)
      if (!isOld) yield* log({ ...about, observed, actions, done: done.length, outcome: words })
      yield* countDecision(definition.name, outcome)
      yield* trace(definition, { event, observed, actions, done, outcome, startMillis })
    })
    yield* interpret(actions, (action) => done.push(action)).pipe(
      Effect.tapError((error) => tell(outcomeOf(error), `${nameOf(error)}: ${error.message}`))
    )
    yield* tell("Done", "Done")
    if (isSweep(event)) yield* countSweepRepair
  })
  const once = Effect.gen(function* () {
    const startMillis = yield* Clock.currentTimeMillis
    const observed = yield* definition.observe(subject)
    if (Option.isNone(observed)) return yield* Effect.logDebug("nothing to look at", about)
    const { refused } = definition
    const again = (observed: O, before: ReadonlyArray<string>): ReturnType<typeof act> =>
      act(observed, startMillis).pipe(
        Effect.catchTag("Refused", (refusal) => {
          const what = `${refusal.kind} ${refusal.name}`
          return refused === undefined || before.includes(what)
            ? Effect.fail(refusal)
            : again(refused(observed, refusal), [...before, what])
        })
      )
    yield* again(observed.value, [])
  })
  return yield* once.pipe(
    Effect.retry({
      while: isConflict,
      times: 2,
      schedule: Schedule.spaced("50 millis").pipe(Schedule.jittered)
    })
  )
})

const log = Effect.fnUntraced(function* (decision: Decision) {
  yield* Effect.logInfo("decided", makeRecord(decision, yield* LogLevel.isEnabled("Debug")))
  yield* keep(decision)
})

const keep = (decision: Decision) => Effect.flatMap(DecisionsFile, (keep) => keep(decision))

type Failure = KubernetesError | NameTaken | Refused

const isConflict = (error: Failure): boolean => error._tag === "KubernetesError" && error.isConflict

const nameOf = (error: Failure): string => (error._tag === "KubernetesError" ? error.reason : error._tag)

const outcomeOf = (error: Failure): Outcome =>
  error._tag === "Refused" ? "Refused" : isConflict(error) ? "Conflict" : "Failed"
