/**
 * Takes a function through one object: observe, decide, interpret. A write
 * that met a newer object is decided anew, three times; then the next event or
 * sweep has another look. Every run that wanted to write leaves a decision
 * record, one log line that holds all that the decision was made of.
 */
import { Effect, Option, Schedule } from "effect"
import type { Reference } from "./api/kind.ts"
import type { CloudEvent } from "./events.ts"
import type { EnbiFunction } from "./function.ts"
import { interpret } from "./interpret.ts"

export const run = Effect.fn("run")(function* <O>(definition: EnbiFunction<O>, event: CloudEvent, subject: Reference) {
  const act = Effect.fnUntraced(function* (observed: O) {
    const actions = definition.decide(observed)
    if (actions.length === 0) return
    const record = { function: definition.name, event, subject, observed, actions }
    yield* interpret(actions).pipe(
      Effect.tap(() => Effect.logInfo("decided", { ...record, outcome: "Done" })),
      Effect.tapError((error) => Effect.logInfo("decided", { ...record, outcome: error.message }))
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
      while: (error) => error._tag === "KubernetesError" && error.isConflict,
      times: 2,
      schedule: Schedule.spaced("50 millis").pipe(Schedule.jittered)
    })
  )
})
