/**
 * A stand-in for Knative's MTChannelBasedBroker on InMemoryChannel: what
 * `ingress.ts` admits goes to every Trigger whose filter matches, at once, and
 * the sender is answered when the last of them is through. Nothing is kept: an
 * event that is under way when the process ends is lost.
 */
import { Clock, Deferred, Effect } from "effect"
import { randomBytes } from "node:crypto"
import { deliverTo, Panicked } from "./deliver-to.ts"
import type { Event } from "./event.ts"
import { makePost, type Request, serve } from "./http.ts"
import { admit, type Admitted, told, traceHeaders } from "./ingress.ts"
import type { Manifests, Trigger } from "./manifests.ts"
import { nanoTime } from "./time.ts"

export interface Options {
  readonly manifests: Pick<Manifests, "brokers" | "triggers">
  /** 0: one that is free. */
  readonly port: number
  /** Whether Knative's tracing is on. */
  readonly isTracing: boolean
}

/** Serves until the scope ends. `panicked` fails when Knative's dispatcher would have died and all senders know. */
export const makeBroker = Effect.fnUntraced(function* ({ isTracing, manifests, port }: Options) {
  const post = yield* makePost
  const scope = yield* Effect.scope
  const panicked = yield* Deferred.make<never, Panicked>()

  const deliverToAll = Effect.fnUntraced(function* (admitted: Admitted) {
    const delivered = yield* Effect.forEach(
      triggersOf(manifests.triggers, admitted),
      (trigger) => deliverTo(post, trigger, admitted),
      { concurrency: "unbounded" }
    ).pipe(
      Effect.tapError((panic) => Deferred.fail(panicked, panic)),
      Effect.raceFirst(Deferred.await(panicked)),
      Effect.orElseSucceed(() => [false])
    )
    return told(delivered.every(Boolean) ? 202 : 500)
  })

  const respond = Effect.fnUntraced(function* (request: Request) {
    const admitted = admit(request, manifests.brokers, nanoTime(yield* Clock.currentTimeNanos))
    if ("status" in admitted) return admitted
    const forwarded = isTracing ? [...admitted.forwarded, ...(yield* trace(request))] : admitted.forwarded
    const delivering = deliverToAll({ ...admitted, forwarded })
    if (!admitted.broker.isAsync) return yield* delivering
    yield* Effect.forkIn(delivering, scope)
    return told(202)
  })

  const { idle, url } = yield* serve({ port }, respond)
  return { url, panicked: Effect.tapError(Deferred.await(panicked), () => idle) }
})

const trace = ({ headers }: Request) =>
  Effect.sync(() =>
    traceHeaders(headers, { trace: randomBytes(16).toString("hex"), span: randomBytes(8).toString("hex") })
  )

const triggersOf = (triggers: ReadonlyArray<Trigger>, { broker, event }: Admitted): ReadonlyArray<Trigger> =>
  triggers.filter(
    (trigger) =>
      trigger.namespace === broker.namespace && trigger.broker === broker.name && isMatching(trigger.filter, event)
  )

const isMatching = (filter: Trigger["filter"], { attributes }: Event): boolean =>
  Object.entries(filter).every(([name, value]) => attributes.get(name) === value)
