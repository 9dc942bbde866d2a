/**
 * Takes a function through one object: observe, decide, interpret. A write
 * that met a newer object is decided anew, three times; then the next event or
 * sweep has another look. Every run that wanted to write leaves a decision
 * record, one log line that holds all that the decision was made of.
 */
import { Effect, Option, Schedule } from "effect"
import type { Reference } from "./api/kind.ts"
import { type CloudEvent, isSweep } from "./events.ts"
import type { EnbiFunction } from "./function.ts"
import { interpret, type NameTaken, type Refused } from "./interpret.ts"
import type { KubernetesError } from "./kube/error.ts"
import { countDecision, countSweepRepair, measureLag, type Outcome } from "./metrics.ts"

export const run = Effect.fn("run")(function* <O>(definition: EnbiFunction<O>, event: CloudEvent, subject: Reference) {
  yield* measureLag(event)
  const act = Effect.fnUntraced(function* (observed: O) {
    const actions = definition.decide(observed)
    if (actions.length === 0) return
    const record = { function: definition.name, event, subject, observed, actions }
    yield* interpret(actions).pipe(
      Effect.tap(() => Effect.logInfo("decided", { ...record, outcome: "Done" })),
      Effect.tapError((error) => Effect.logInfo("decided", { ...record, outcome: error.message })),
      Effect.tap(() => countDecision(definition.name, "Done")),
      Effect.tap(() => (isSweep(event) ? countSweepRepair : Effect.void)),
      Effect.tapError((error) => countDecision(definition.name, outcomeOf(error)))
    )
  })
  const once = Effect.gen(function* () {
    const observed = yield* definition.observe(subject)
    if (Option.isNone(observed)) return
    const { refused } = definition
    yield* act(observed.value).pipe(
      Effect.catchTag("Refused", (refusal) =>
        refused === undefined ? Effect.fail(refusal) : act(refused(observed.value, refusal))
      )
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

type Failure = KubernetesError | NameTaken | Refused

const isConflict = (error: Failure): boolean => error._tag === "KubernetesError" && error.isConflict

const outcomeOf = (error: Failure): Outcome =>
  error._tag === "Refused" ? "Refused" : isConflict(error) ? "Conflict" : "Failed"
