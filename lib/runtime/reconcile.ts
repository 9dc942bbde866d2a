/**
 * Reconciles one object: observe, decide, interpret. A write that met a newer
 * object is decided again, up to three times in all; then it is left to the
 * next event or sweep. Every decision to write leaves a record of everything
 * that it was made from: one log line, and one line of the file that
 * `DECISIONS_FILE` names.
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
import { recordRefusal } from "./event-recorder.ts"
import type { Settings } from "../api/settings.ts"
import { currentTime } from "../kubernetes/time.ts"

/** Fails as `observe` and `interpret` do; the caller decides what happens then. */
export const reconcile = Effect.fn("reconcile")(function* <O>(
  definition: EnbiFunction<O>,
  event: CloudEvent,
  subject: Reference
) {
  // A function with a pause is late on purpose.
  if (definition.pauseSeconds === undefined) yield* measureLag(event)
  const about = { function: definition.name, event, subject }
  const act = Effect.fnUntraced(function* (observed: O, { startMillis, written }: Attempt) {
    const actions = definition.decide(observed)
    if (actions.length === 0) {
      // Keep records of events that changed nothing, but not of empty sweeps: there is one every 30 s.
      if (!isSweep(event)) yield* keep({ ...about, observed, actions, done: 0, outcome: "Done" })
      return yield* Effect.logDebug("nothing to do", about)
    }
    const applied: Array<Applied> = []
    const onApplied = (one: Applied) => {
      applied.push(one)
      if (definition.restsOn !== undefined) written.add(keyOf(objectOf(one.action)))
    }
    const report = Effect.fnUntraced(function* (outcome: Outcome, words: string) {
      // A refused write is tried again with every sweep; one log line is enough.
      const isOld = outcome === "Refused" && applied.length === 0 && isSweep(event)
      if (!isOld) yield* log({ ...about, observed, actions, done: applied.length, outcome: words })
      yield* countDecision(definition.name, outcome)
      yield* observeRun({ ...about, observed, actions, applied, outcome, startMillis })
    })
    // An object that this attempt has written is no longer as it was observed.
    const left = actions.filter((action) => !written.has(keyOf(objectOf(action))))
    yield* interpret(left, { onApplied, restsOn: definition.restsOn?.(observed) }).pipe(
      Effect.tapError((error) => report(outcomeOf(error), `${nameOf(error)}: ${error.message}`))
    )
    yield* report("Done", "Done")
    yield* Effect.forEach(applied, ({ action }) => forgetRefusal({ what: whatOf(objectOf(action)), about: subject }))
    if (isSweep(event)) yield* countSweepRepair
  })
  const whatOf = ({ kind, name }: { readonly kind: string; readonly name: string }) =>
    `${definition.name} ${kind} ${name}`

  /**
   * A refused write must not hold up the others: a function that can, continues without it. A refusal that lasts is
   * reported; the sweep tries again.
   */
  const whenRefused: (at: {
    readonly observed: O
    readonly refused: Refused
    readonly attempt: Attempt
  }) => Effect.Effect<void, Failure, Cluster | Settings> = Effect.fnUntraced(function* (at) {
    const { attempt, observed } = at
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
      if (isLasting) yield* Effect.ignore(recordRefusalOn(subject, { kind, name, message, isLasting }))
      return yield* Effect.fail(failed)
    }
    const without = definition.refused(observed, { kind, name, message, isLasting })
    yield* act(without, attempt).pipe(
      Effect.catchIf(
        (error): error is Refused => error._tag === "Refused" && !(error.kind === kind && error.name === name),
        (refused) => whenRefused({ observed: without, refused, attempt })
      )
    )
    if (!isLasting || answer.isRetryable) return yield* Effect.fail(failed)
  })
  const observeAndAct = Effect.gen(function* () {
    const attempt = { startMillis: yield* Clock.currentTimeMillis, written: new Set<string>() }
    const observed = yield* definition.observe(subject)
    if (Option.isNone(observed)) return yield* Effect.logDebug("nothing to observe", about)
    yield* act(observed.value, attempt).pipe(
      Effect.catchTag("Refused", (refused) => whenRefused({ observed: observed.value, refused, attempt }))
    )
  })
  return yield* observeAndAct.pipe(
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

interface Attempt {
  readonly startMillis: number
  /** The objects that it has written, if it is about many. */
  readonly written: Set<string>
}

type Failure = KubernetesError | NameTaken | Refused

/** Records an Event on the object that was reconciled. */
const recordRefusalOn = Effect.fnUntraced(function* (subject: Reference, refusal: Refusal) {
  const kind = kindNamed(subject.kind)
  if (kind === undefined) return
  const cluster = yield* Cluster
  const found = yield* cluster.getFresh({ ...kind, schema: WithMetadata }, subject)
  if (Option.isNone(found)) return
  const event = recordRefusal({
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
