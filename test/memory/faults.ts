/** What can become of a request on its way to the API server and back. */
import { Data, Effect } from "effect"
import { KubernetesError } from "../../lib/kubernetes/error.ts"

/**
 * | fault        | done | answer                                          |
 * |--------------|------|-------------------------------------------------|
 * | lost         | no   | 503                                             |
 * | throttled    | no   | 429 with Retry-After                            |
 * | broken       | no   | 500                                             |
 * | broken-late  | yes  | 500                                             |
 * | unanswered   | yes  | none                                            |
 * | touched      | yes  | whatever it is after somebody changed the object |
 * | crash-before | no   | the process that asked is gone                  |
 * | crash-after  | yes  | the process that asked is gone                  |
 */
export const faults = [
  "lost",
  "throttled",
  "broken",
  "broken-late",
  "unanswered",
  "touched",
  "crash-before",
  "crash-after"
] as const
/** Denied: a webhook says no, without a code; nothing is done. It lasts as long as the story says, so no plan draws it. */
export type Fault = (typeof faults)[number] | "denied"

/** The process that made the request ended: nothing of it goes on. */
export class Crash extends Data.TaggedError("Crash")<{ readonly what: string }> {}

const fail = (status: number, reason: string, retryAfterSeconds?: number) =>
  Effect.fail(
    new KubernetesError({
      status,
      reason,
      message: `${reason}, as the test wanted it`,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
    })
  )

export interface Asked {
  readonly what: string
  /** Somebody else changes the object that the request is about. */
  readonly touch: Effect.Effect<void>
}

export const suffer =
  (fault: Fault | undefined, { touch, what }: Asked) =>
  <A, R>(answer: Effect.Effect<A, KubernetesError, R>): Effect.Effect<A, KubernetesError, R> => {
    if (fault === undefined) return answer
    const crash = Effect.die(new Crash({ what }))
    if (fault === "denied") return fail(400, "BadRequest")
    if (fault === "lost") return fail(503, "ServiceUnavailable")
    if (fault === "throttled") return fail(429, "TooManyRequests", 5)
    if (fault === "broken") return fail(500, "InternalError")
    if (fault === "broken-late") return Effect.andThen(answer, fail(500, "InternalError"))
    if (fault === "unanswered") return Effect.andThen(answer, fail(0, "Timeout"))
    if (fault === "touched") return Effect.andThen(touch, answer)
    return fault === "crash-before" ? crash : Effect.andThen(answer, crash)
  }
