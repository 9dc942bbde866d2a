/**
 * What becomes of an answer: whether an event counts as delivered, is sent
 * again and after how long, or is given up. Knative's tables, as measured; its
 * documentation says otherwise in places.
 */
import { Effect } from "effect"
import { type Event, readEvent } from "./event.ts"
import type { Answer, NoAnswer } from "./http.ts"
import { Wait } from "./time.ts"

/** What a dead letter sink is told of a failure. */
export interface FailureDetails {
  readonly code: number
  readonly data: Buffer
}

export type Outcome =
  | { readonly _tag: "Done" }
  /** The subscriber answered with an event, which goes back to the Broker. */
  | { readonly _tag: "Replied"; readonly event: Event }
  | { readonly _tag: "Failed"; readonly isRetryable: boolean; readonly details: FailureDetails | undefined }

export const done: Outcome = { _tag: "Done" }

/** As a Trigger or Broker says, with what it leaves out filled in. */
export interface Delivery {
  readonly retry: number
  readonly backoffPolicy: "exponential" | "linear" | undefined
  readonly backoffDelayMillis: number
  readonly timeoutMillis: number | undefined
  /** URL of the dead letter sink. */
  readonly deadLetterSink: string | undefined
  readonly format: "binary" | "json"
}

/** The wait before each new try. Both policies count from 0, so linear has none before the first. */
export const delaysOf = ({ backoffDelayMillis, backoffPolicy, retry }: Delivery): ReadonlyArray<number> =>
  Array.from({ length: retry }, (_, index) =>
    backoffPolicy === "exponential"
      ? backoffDelayMillis * 2 ** index
      : backoffPolicy === "linear"
        ? backoffDelayMillis * index
        : 0
  )

/** Of ApiServerSource and PingSource: 3.1 s in all, then the event is lost. */
export const sourceDelays: ReadonlyArray<number> = [100, 200, 400, 800, 1600]

const sourceRetries: ReadonlyArray<number> = [404, 413, 425, 429, 502, 503, 504]

/** A source takes every 2xx for success, whatever its body is, and loses the event on 500. */
export const sourceOutcome = (answered: Answer | NoAnswer): Outcome => {
  if (isMissing(answered)) return { _tag: "Failed", isRetryable: true, details: undefined }
  if (isSuccess(answered)) return done
  return { _tag: "Failed", isRetryable: sourceRetries.includes(answered.status), details: undefined }
}

/** Of the Broker, for a subscriber, a dead letter sink and its own ingress alike. */
export const brokerOutcome = (answered: Answer | NoAnswer | "timed out"): Outcome => {
  if (answered === "timed out") return { _tag: "Failed", isRetryable: true, details: undefined }
  if (isMissing(answered)) {
    const data = Buffer.from(`dispatch error: ${answered.message}`)
    return { _tag: "Failed", isRetryable: true, details: { code: 500, data } }
  }
  const { body, status } = answered
  if (!isSuccess(answered))
    return { _tag: "Failed", isRetryable: isRetried(status), details: { code: status, data: body } }
  const event = readEvent(answered)
  if (event !== undefined) return { _tag: "Replied", event }
  // A body that is no event counts as a failure, although the work was done; what it was is told to nobody.
  return body.length === 0 ? done : { _tag: "Failed", isRetryable: true, details: undefined }
}

const isMissing = (answered: Answer | NoAnswer): answered is NoAnswer => "_tag" in answered

const isSuccess = ({ status }: Answer): boolean => status >= 200 && status < 300

const isRetried = (status: number): boolean => status >= 500 || [404, 408, 409, 429].includes(status)

/** Tries until it is done, until no try can help, or until the delays are used up: `Retry-After` is not looked at. */
export const deliver = Effect.fnUntraced(function* <R>(
  delays: ReadonlyArray<number>,
  once: Effect.Effect<Outcome, never, R>
) {
  const wait = yield* Wait
  let outcome = yield* once
  for (const delay of delays) {
    if (outcome._tag !== "Failed" || !outcome.isRetryable) break
    yield* wait(delay)
    outcome = yield* once
  }
  return outcome
})

/** Base64 of an answer that is longer ends Knative's dispatcher: index out of range [1024]. */
export const maxErrorDataLength = 1024

/** What a dead letter gets besides the event. `subscriber` is who failed. */
export const deadLetterExtensions = (
  details: FailureDetails | undefined,
  subscriber: string
): Readonly<Record<string, string>> =>
  details === undefined
    ? {}
    : {
        knativeerrordest: subscriber,
        knativeerrorcode: String(details.code),
        knativeerrordata: details.data.toString("base64")
      }
