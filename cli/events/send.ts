/** Sends events to a function or a Broker by HTTP, each marked as one that is sent again. */
import type { CloudEventV1 } from "cloudevents"
import { DateTime, Duration, Effect, Option } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Trouble } from "../exit.ts"

/**
 * Structured mode, so that no header can change what is sent; its status is the answer. Not by the SDK's `HTTP`: it
 * gives an event without a time that of now, and takes the microseconds off the others.
 */
export const send = Effect.fn("send")(function* (to: URL, event: CloudEventV1<unknown>) {
  const request = HttpClientRequest.post(to).pipe(
    HttpClientRequest.bodyText(JSON.stringify(event), "application/cloudevents+json")
  )
  return yield* HttpClient.execute(request).pipe(
    Effect.flatMap((response) => Effect.as(response.text, response.status)),
    Effect.timeout("60 seconds"),
    Effect.mapError((error) => new Trouble({ message: `${to.href} does not answer: ${error.message}` }))
  )
})

/** How long to wait before each event, so that they come as they did, `speed` times as fast. */
export const pausesOf = (
  events: ReadonlyArray<CloudEventV1<unknown>>,
  speed: number
): ReadonlyArray<Duration.Duration> => {
  let before = Option.none<number>()
  return events.map(({ time }) => {
    const at = Option.map(time === undefined ? Option.none() : DateTime.make(time), DateTime.toEpochMillis)
    const gap = Option.getOrElse(
      Option.zipWith(before, at, (from, until) => until - from),
      () => 0
    )
    before = Option.orElse(at, () => before)
    return Duration.millis(Math.max(0, gap) / speed)
  })
}
