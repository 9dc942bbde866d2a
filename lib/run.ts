/**
 * Takes a function through one object: observe, decide, interpret. A write
 * that met a newer object is decided anew, three times; then the next event or
 * sweep has another look. Every run that wanted to write leaves a decision
 * record that holds all that the decision was made of: one log line, and one of
 * the file that `DECISIONS_FILE` names.
 */
import { Clock, Effect, LogLevel, Option, Schedule, Schema } from "effect"
import { reasons } from "./api/condition.ts"
import { ObjectMeta, type Reference } from "./api/kind.ts"
import { isKindName, kinds } from "./api/kinds.ts"
import { Cluster } from "./cluster.ts"
import { type Decision, makeRecord } from "./decision-record.ts"
import { DecisionsFile } from "./decisions-file.ts"
import { type CloudEvent, isSweep } from "./events.ts"
import type { EnbiFunction, Refusal } from "./function.ts"
import { type Done, interpret, type NameTaken, type Refused } from "./interpret.ts"
import type { KubernetesError } from "./kube/error.ts"
import { countDecision, countSweepRepair, measureLag, type Outcome } from "./metrics.ts"
import { forgetRefusals, isLastingRefusal } from "./refusals.ts"
import { say } from "./say.ts"
import type { Settings } from "./settings.ts"
import { currentTime } from "./time.ts"
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
      yield* Effect.logDebug("nothing to do", about)
      return false
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
    return true
  })
  /** What has lasted is told, and done without where the function can; the sweep asks again. */
  const whenRefused: (at: {
    readonly observed: O
    readonly objection: Refused | KubernetesError
    readonly startMillis: number
  }) => Effect.Effect<void, Failure, Cluster | Settings> = Effect.fnUntraced(function* (at) {
    const { objection, observed, startMillis } = at
    const { message, status } = objection
    const { kind, name } = objection._tag === "Refused" ? objection : { kind: "", name: "" }
    const isLasting = yield* isLastingRefusal({
      what: `${definition.name} ${kind} ${name}`,
      about: subject,
      error: { message, status }
    })
    if (!isLasting) return yield* Effect.fail(objection)
    const { refused } = definition
    if (refused === undefined || objection._tag !== "Refused") {
      yield* Effect.ignore(tellRefusal(subject, { kind, name, message }))
      return yield* Effect.fail(objection)
    }
    const without = refused(observed, { kind, name, message })
    yield* act(without, startMillis).pipe(
      Effect.catchIf(
        (error): error is Refused => error._tag === "Refused" && !(error.kind === kind && error.name === name),
        (objection) => whenRefused({ observed: without, objection, startMillis })
      )
    )
  })
  const once = Effect.gen(function* () {
    const startMillis = yield* Clock.currentTimeMillis
    const observed = yield* definition.observe(subject)
    if (Option.isNone(observed)) return yield* Effect.logDebug("nothing to look at", about)
    yield* act(observed.value, startMillis).pipe(
      Effect.tap((hasActed) => (hasActed ? forgetRefusals({ by: definition.name, about: subject }) : Effect.void)),
      Effect.catchIf(isObjection, (objection) => whenRefused({ observed: observed.value, objection, startMillis }))
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

const keep = (decision: Decision) => Effect.flatMap(DecisionsFile, (keep) => keep(decision))

type Failure = KubernetesError | NameTaken | Refused

const isObjection = (error: Failure): error is Refused | KubernetesError =>
  error._tag === "Refused" || (error._tag === "KubernetesError" && error.isObjection)

/** An Event on the object that the function looked at. */
const tellRefusal = Effect.fnUntraced(function* (subject: Reference, { kind, message, name }: Refusal) {
  if (!isKindName(subject.kind)) return
  const cluster = yield* Cluster
  const found = yield* cluster.getFresh({ ...kinds[subject.kind], schema: WithMetadata }, subject)
  if (Option.isNone(found)) return
  const what = kind === "" ? "" : ` ${kind} ${name}:`
  const event = say({
    regarding: subject.kind,
    about: found.value.metadata,
    type: "Warning",
    reason: "RequestRefused",
    message: `${reasons.RequestRefused}${what} ${message}`,
    time: yield* currentTime,
    key: `${kind}/${name}`
  })
  yield* interpret([event], () => undefined)
})

const WithMetadata = Schema.Struct({ metadata: ObjectMeta })

const isConflict = (error: Failure): boolean => error._tag === "KubernetesError" && error.isConflict

const nameOf = (error: Failure): string => (error._tag === "KubernetesError" ? error.reason : error._tag)

const outcomeOf = (error: Failure): Outcome =>
  error._tag === "Refused" ? "Refused" : isConflict(error) ? "Conflict" : "Failed"
