/** Maps the result of a reconciliation to an HTTP response, and logs what went wrong. */
import { Cause, Effect, Option } from "effect"
import type { NameTaken, Refused } from "../runtime/interpret.ts"
import { KubernetesError } from "../kubernetes/error.ts"
import { type Answer, noContent, unavailable } from "./response.ts"

/**
 * | outcome                                   | answer | because                                   |
 * |-------------------------------------------|--------|-------------------------------------------|
 * | done, or nothing to do                    | 204    |                                           |
 * | an object is refused, or its name is taken | 204   | a second try soon ends the same; the sweep will try |
 * | the API server can't be used, or conflicts | 503   | a second try may do                       |
 * | a mistake of ours                         | 503    | the event ends with the dead letters      |
 */
export const respond =
  (about: object) =>
  <R>(self: Effect.Effect<Answer, KubernetesError | NameTaken | Refused, R>): Effect.Effect<Answer, never, R> =>
    self.pipe(
      Effect.catchTag(["NameTaken", "Refused"], (error) =>
        Effect.as(Effect.logWarning("left to the next sweep", about, error), noContent)
      ),
      Effect.catchCause((cause) =>
        Effect.as(Effect.logWarning("will be handled when the event is sent again", about, cause), unavailableBy(cause))
      )
    )

const unavailableBy = (cause: Cause.Cause<unknown>): Answer => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return unavailable(error instanceof KubernetesError ? error.retryAfterSeconds : undefined)
}
