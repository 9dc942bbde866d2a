/**
 * One event on its way to one Trigger's subscriber: the tries, the reply that
 * goes back to the Broker, and the dead letter when all was in vain.
 */
import { Effect, Schema } from "effect"
import {
  brokerOutcome,
  deadLetterExtensions,
  delaysOf,
  deliver,
  type FailureDetails,
  maxErrorDataLength
} from "./delivery.ts"
import { type Event, toBinary, toStructured, withAttributes } from "./event.ts"
import type { Headers, Message, Post } from "./http.ts"
import { type Admitted, passesLeft } from "./ingress.ts"
import type { Trigger } from "./manifests.ts"
import { Wait } from "./time.ts"

/**
 * What Knative's dispatcher dies of when an error's body is too long for a dead letter: every delivery under way is
 * cut and its sender answered 500. Whoever runs the stand-in ends with it.
 */
export class Panicked extends Schema.TaggedError<Panicked>()("Panicked", { message: Schema.String }) {}

/** Who failed, and how. */
interface Failure {
  readonly destination: string
  readonly details: FailureDetails | undefined
}

/** Whether the event came into good hands: the subscriber's, or the dead letter sink's. */
export const deliverTo = Effect.fnUntraced(function* (
  post: Post,
  trigger: Trigger,
  { event, forwarded, ingress }: Admitted
) {
  const delays = delaysOf(trigger.delivery)
  const toBroker = (reply: Event) => postOnce(post, ingress, toReply(reply, event))
  const outcome = yield* deliver(delays, callOnce(post, trigger, toSubscriber(trigger, event, forwarded)))
  if (outcome._tag === "Done") return true
  if (outcome._tag === "Failed") {
    return yield* bury(post, trigger, event, { ...outcome, destination: trigger.subscriber })
  }
  const replied = yield* deliver(delays, toBroker(outcome.event))
  return replied._tag === "Failed" ? yield* bury(post, trigger, event, { ...replied, destination: ingress }) : true
})

const answerOf = (post: Post, url: string, message: Message) => post(url, message).pipe(Effect.catch(Effect.succeed))

const postOnce = (post: Post, url: string, message: Message) => Effect.map(answerOf(post, url, message), brokerOutcome)

const callOnce = Effect.fnUntraced(function* (post: Post, { delivery, subscriber }: Trigger, message: Message) {
  const { timeoutMillis } = delivery
  if (timeoutMillis === undefined) return yield* postOnce(post, subscriber, message)
  const wait = yield* Wait
  return brokerOutcome(
    yield* Effect.raceFirst(answerOf(post, subscriber, message), Effect.as(wait(timeoutMillis), "timed out" as const))
  )
})

const bury = Effect.fnUntraced(function* (post: Post, trigger: Trigger, event: Event, failure: Failure) {
  const { deadLetterSink } = trigger.delivery
  if (deadLetterSink === undefined) return false
  const extensions = deadLetterExtensions(failure.details, failure.destination)
  const { knativeerrordata = "" } = extensions
  if (knativeerrordata.length > maxErrorDataLength) {
    const { code, data } = failure.details ?? { code: 0, data: "" }
    const why = `${failure.destination} answered ${code} with ${data.length} bytes`
    return yield* new Panicked({ message: `panic: index out of range [${maxErrorDataLength}]: ${why}` })
  }
  const letter = inNamespace(toBinary(withAttributes(event, extensions)), trigger)
  const outcome = yield* deliver(delaysOf(trigger.delivery), postOnce(post, deadLetterSink, letter))
  return outcome._tag !== "Failed"
})

const inNamespace = ({ body, headers }: Message, { namespace }: Trigger, more: Headers = []): Message => ({
  headers: [...headers, ["Kn-Namespace", namespace], ...more],
  body
})

const toSubscriber = (trigger: Trigger, event: Event, forwarded: Headers): Message => {
  const bare = withAttributes(event, { [passesLeft]: undefined })
  const message = trigger.delivery.format === "json" ? toStructured(bare) : toBinary(bare)
  return inNamespace(message, trigger, [["Prefer", "reply"], ...forwarded])
}

/** A reply has as many passes left as what it answers. */
const toReply = (reply: Event, event: Event): Message => {
  const isNamed = reply.attributes.has("datacontenttype") || reply.data.length === 0
  return toBinary(
    withAttributes(reply, {
      [passesLeft]: event.attributes.get(passesLeft),
      ...(isNamed ? {} : { datacontenttype: guessContentType(reply.data) })
    })
  )
}

// On its way a reply is an answer of Go's server, which guesses a content type that is missing. Only part of its table.
const guessContentType = (data: Buffer): string =>
  data.subarray(0, 512).some((byte) => byte < 0x20 && !"\t\n\f\r\u001b".includes(String.fromCharCode(byte)))
    ? "application/octet-stream"
    : "text/plain; charset=utf-8"
