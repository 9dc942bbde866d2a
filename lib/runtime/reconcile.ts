/**
 * Takes a function through one object: observe, decide, interpret. A write
 * that met a newer object is decided anew, three times; then the next event or
 * sweep has another look. Every run that wanted to write leaves a decision
 * record that holds all that the decision was made of: one log line, and one of
 * the file that `DECISIONS_FILE` names.
 */
import { Clock, Effect, LogLevel, Option, Schedule, Schema } from "effect"
import { keyOf, kindNamed, ObjectMeta, type Reference } from "../kubernetes/kind.ts"
import { Cluster } from "../kubernetes/cluster.ts"
import { objectOf } from "./action.ts"
import { type Decision, makeRecord } from "./decision-record.ts"
import { DecisionsFile } from "./decision-file.ts"
import { type CloudEvent, isSweep } from "./events.ts"
import { type EnbiFunction, listableBy, type Refusal } from "./function.ts"
import { interpret, isConflict, type NameTaken, type Refused } from "./interpret.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import { type Applied, observeRun, type Outcome } from "./observers.ts"
import { forgetRefusal, isLastingRefusal } from "./refusals.ts"
import { countDecision, countSweepRepair, measureLag } from "./metrics.ts"
import { sayRefused } from "./event-recorder.ts"
import type { Settings } from "../api/settings.ts"
import { currentTime } from "../kubernetes/time.ts"

/** Fails as `observe` and `interpret` do; whoever brought the event decides what then. */
export const run = Effect.fn("run")(function* <O>(definition: EnbiFunction<O>, event: CloudEvent, subject: Reference) {
  // Who wants a pause is late on purpose.
  if (definition.pauseSeconds === undefined) yield* measureLag(event)
  const about = { function: definition.name, event, subject }
  const act = Effect.fnUntraced(function* (observed: O, { startMillis, written }: Look) {
    const actions = definition.decide(observed)
    if (actions.length === 0) {
      // That an event changes nothing is worth keeping; that a sweep finds nothing is so every 30 s.
      if (!isSweep(event)) yield* keep({ ...about, observed, actions, done: 0, outcome: "Done" })
      return yield* Effect.logDebug("nothing to do", about)
    }
    const applied: Array<Applied> = []
    const onApplied = (one: Applied) => {
      applied.push(one)
      if (definition.restsOn !== undefined) written.add(keyOf(objectOf(one.action)))
    }
    const tell = Effect.fnUntraced(function* (outcome: Outcome, words: string) {
      // What is refused is tried with every sweep; that it is refused was worth a line once.
      const isOld = outcome === "Refused" && applied.length === 0 && isSweep(event)
      if (!isOld) yield* log({ ...about, observed, actions, done: applied.length, outcome: words })
      yield* countDecision(definition.name, outcome)
      yield* observeRun({ ...about, observed, actions, applied, outcome, startMillis })
    })
    // What was written is not any more what it was when it was observed.
    const left = actions.filter((action) => !written.has(keyOf(objectOf(action))))
    yield* interpret(left, { onApplied, restsOn: definition.restsOn?.(observed) }).pipe(
      Effect.tapError((error) => tell(outcomeOf(error), `${nameOf(error)}: ${error.message}`))
    )
    yield* tell("Done", "Done")
    yield* Effect.forEach(applied, ({ action }) => forgetRefusal({ what: whatOf(objectOf(action)), about: subject }))
    if (isSweep(event)) yield* countSweepRepair
  })
  const whatOf = ({ kind, name }: { readonly kind: string; readonly name: string }) =>
    `${definition.name} ${kind} ${name}`

  /**
   * What is refused to one must not hold up the rest: a function that can goes on without it. What has lasted is told;
   * the sweep asks again.
   */
  const whenRefused: (at: {
    readonly observed: O
    readonly refused: Refused
    readonly look: Look
  }) => Effect.Effect<void, Failure, Cluster | Settings> = Effect.fnUntraced(function* (at) {
    const { look, observed } = at
    const { answer, kind, message, name } = at.refused
    const isLasting = yield* isLastingRefusal({
      what: whatOf({ kind, name }),
      about: subject,
      error: answer,
      readable: listableBy(definition)
    })
    // The API server may be about to recover.
    if (!isLasting && answer.isRetryable) return yield* Effect.fail(answer)
    const failed = answer.isRetryable ? answer : at.refused
    if (definition.refused === undefined) {
      if (isLasting) yield* Effect.ignore(tellRefusal(subject, { kind, name, message, isLasting }))
      return yield* Effect.fail(failed)
    }
    const without = definition.refused(observed, { kind, name, message, isLasting })
    yield* act(without, look).pipe(
      Effect.catchIf(
        (error): error is Refused => error._tag === "Refused" && !(error.kind === kind && error.name === name),
        (refused) => whenRefused({ observed: without, refused, look })
      )
    )
    if (!isLasting || answer.isRetryable) return yield* Effect.fail(failed)
  })
  const once = Effect.gen(function* () {
    const look = { startMillis: yield* Clock.currentTimeMillis, written: new Set<string>() }
    const observed = yield* definition.observe(subject)
    if (Option.isNone(observed)) return yield* Effect.logDebug("nothing to look at", about)
    yield* act(observed.value, look).pipe(
      Effect.catchTag("Refused", (refused) => whenRefused({ observed: observed.value, refused, look }))
    )
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

const keep = (decision: Decision) => Effect.flatMap(DecisionsFile, (write) => write(decision))

interface Look {
  readonly startMillis: number
  /** The objects that it has written, where it is about many. */
  readonly written: Set<string>
}

type Failure = KubernetesError | NameTaken | Refused

/** An Event on the object that the function looked at. */
const tellRefusal = Effect.fnUntraced(function* (subject: Reference, refusal: Refusal) {
  const kind = kindNamed(subject.kind)
  if (kind === undefined) return
  const cluster = yield* Cluster
  const found = yield* cluster.getFresh({ ...kind, schema: WithMetadata }, subject)
  if (Option.isNone(found)) return
  const event = sayRefused({
    regarding: kind,
    about: found.value.metadata,
    refusal,
    time: yield* currentTime,
    key: `${refusal.kind}/${refusal.name}`
  })
  yield* interpret([event], { onApplied: () => undefined })
})

const WithMetadata = Schema.Struct({ metadata: ObjectMeta })

const nameOf = (error: Failure): string =>
  error._tag === "KubernetesError" ? error.reason : isRecoverable(error) ? error.answer.reason : error._tag

const outcomeOf = (error: Failure): Outcome =>
  isConflict(error) ? "Conflict" : error._tag === "Refused" && !isRecoverable(error) ? "Refused" : "Failed"

const isRecoverable = (error: Failure): error is Refused => error._tag === "Refused" && error.answer.isRetryable
