/**
 * Receives a function's events on Knative: takes one CloudEvent, reconciles the
 * objects that it is about, and answers when that is done, so that nothing is
 * acknowledged that could still be lost. A failed event is sent again. If
 * nothing waits for a function, events during its pause are answered at once.
 */
import { Context, Deferred, Effect, Layer, Option, Schema, Semaphore } from "effect"
import type { Event, MalformedEvent } from "../cloudevents/event.ts"
import type { CloudEvent } from "../runtime/events.ts"
import type { Cluster } from "../kubernetes/cluster.ts"
import type { EnbiFunction } from "../runtime/function.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import { objectOf } from "../runtime/predicate.ts"
import { makeWorkQueue, type Request } from "../runtime/queue.ts"
import { observeEvent } from "../runtime/observers.ts"
import { reconcile } from "../runtime/reconcile.ts"
import type { Settings } from "../api/settings.ts"
import { type Answer, full, maxBodyBytes, noCloudEvent, noContent, tooLarge, unavailable } from "./response.ts"
import { arrive, isIgnoredBy } from "./decode-event.ts"
import { countEvent } from "../runtime/arrival-metrics.ts"
import { Senders } from "./authentication.ts"
import { respond } from "./respond.ts"
import { traced } from "./traced.ts"

/** The body has more bytes than are read. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {}) {}

/** An event as it comes in; reading it is part of what is bounded. */
export interface Arrival {
  /** How large it is; if that is not known, how large it may be. */
  readonly bytes: number
  readonly read: Effect.Effect<Event, MalformedEvent | TooLarge>
  /** The headers of these names. */
  readonly traceparent?: string | undefined
  readonly authorization?: string | undefined
}

/** How many events may be inside at once, when none is larger than `bytesPerPermit`. */
export const maxEvents = 64

// A larger one takes several permits, so that all bodies together are 16 MiB at most.
const bytesPerPermit = 262_144

export class Receiver extends Context.Service<
  Receiver,
  { readonly receive: (arrival: Arrival) => Effect.Effect<Answer> }
>()("enbi/lib/server/Receiver") {
  static readonly layer = (definition: EnbiFunction<unknown>) => Layer.effect(this, makeReceiver(definition))
}

const makeReceiver = Effect.fnUntraced(function* (definition: EnbiFunction<unknown>) {
  const permits = yield* Semaphore.make(maxEvents)
  const services = yield* Effect.context<Cluster | Settings>()
  const { enqueue, isActive, withSlot } = yield* makeWorkQueue(definition, ({ event, subject }) =>
    reconcile(definition, event, subject).pipe(
      traced(definition.name, event),
      Effect.as(noContent),
      respond({ function: definition.name, event, subject })
    )
  )
  const authenticate = yield* Senders

  // A function that pauses between reconciliations would delay events: a Broker that keeps their order would never catch
  // up, and all permits here would be taken. So they are answered at once; if the process ends, the sweep repairs that.
  const enqueueAndWait = (request: Request) => {
    const isLater = definition.pauseSeconds !== undefined && isActive(request)
    return Effect.flatMap(enqueue(request), (outcome) =>
      isLater ? Effect.succeed(noContent) : Deferred.await(outcome)
    )
  }

  const reconcileAll = (event: CloudEvent, data: Event["data"]) =>
    withSlot(definition.mapEvent(event, objectOf(event, data))).pipe(
      traced(definition.name, event),
      Effect.flatMap((subjects) =>
        Effect.forEach(subjects, (subject) => enqueueAndWait({ event, subject }), {
          concurrency: "unbounded"
        })
      ),
      // One object that can't be written does not keep a sweep from the others.
      Effect.map((answers) => answers.find(({ status }) => status !== 204) ?? noContent),
      respond({ function: definition.name, event })
    )

  const inside = Effect.fnUntraced(function* ({ authorization, read, traceparent }: Arrival) {
    const sender = yield* authenticate(authorization).pipe(Effect.catch(unreviewed))
    if (sender.status !== 204) return yield* refuse(sender)
    const { attributes, data } = yield* read
    const event = yield* Effect.fromResult(arrive(attributes, traceparent))
    // A client may disconnect while its work goes on; the permit is held until that ends.
    const answer = isIgnoredBy(definition, event, data)
      ? noContent
      : yield* Effect.uninterruptible(reconcileAll(event, data))
    yield* Effect.provideContext(observeEvent({ function: definition.name, event, data }), services)
    return answer
  })

  const admit = (arrival: Arrival) => {
    const { bytes } = arrival
    if (bytes > maxBodyBytes) return Effect.fail(new TooLarge())
    const response = permits.withPermitsIfAvailable(Math.max(1, Math.ceil(bytes / bytesPerPermit)))(inside(arrival))
    return Effect.map(
      response,
      Option.getOrElse(() => full)
    )
  }

  const receive = (arrival: Arrival) =>
    admit(arrival).pipe(
      Effect.catchTags({
        MalformedEvent: ({ message }) => refuse(noCloudEvent(message)),
        TooLarge: () => refuse(tooLarge)
      }),
      Effect.tap(({ status }) => countEvent(definition.name, status))
    )
  return Receiver.of({ receive })
})

// Without a review no sender can be accepted, but the event must not be lost.
const unreviewed = (error: KubernetesError) =>
  Effect.as(
    Effect.logError("OIDC_AUDIENCE is set, but tokens cannot be reviewed", error),
    unavailable(error.retryAfterSeconds)
  )

const refuse = (answer: Answer) => Effect.as(Effect.logWarning("refused an event", answer), answer)
