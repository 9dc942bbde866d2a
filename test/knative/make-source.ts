/**
 * A stand-in for Knative's ApiServerSource and PingSource, lossy as these are:
 * nothing is sent for what is there at the start, nothing for what changed
 * around a 410 or any other failure that ends in a new list, and an event that
 * the sink answers 500 is gone. Strict order within one watch, none between
 * two. More losses can be asked for.
 */
import { Clock, Deferred, type Duration, Effect, Fiber, FiberHandle, Schema, Semaphore, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { deliver, sourceDelays, sourceOutcome } from "./delivery.ts"
import { makePost, type Message } from "./http.ts"
import type { ApiServerSource, PingSource } from "./manifest-schema.ts"
import { changeMessage, type Origin, pingMessage, type Stamp } from "./source-event.ts"
import { nanoTime, Wait } from "./time.ts"
import { type Watch, watchesOf } from "./watches.ts"

export interface Options {
  readonly apiServerSources: ReadonlyArray<ApiServerSource>
  readonly pingSources: ReadonlyArray<PingSource>
  /** Where all of them send to. */
  readonly sink: string
  /** Of those whose manifests do not say where they are. */
  readonly origin: Origin
  /** Takes the place of every PingSource's schedule. */
  readonly pingInterval: Duration.Duration
}

/** Sends until the scope ends; fails when a group and version is missing, as the adapter ends then. */
export const makeSource = Effect.fnUntraced(function* (options: Options) {
  const { origin } = options
  const send = yield* makeSend(options.sink)
  const watches = yield* watchesOf(options.apiServerSources, origin.namespace)
  const lanes = yield* Effect.forEach(watches, (watch) => makeLane(watch, { origin, send }))
  const following = yield* FiberHandle.make<void, never>()
  let listed = yield* Deferred.make<void>()
  let isDropping = false

  const start = Effect.gen(function* () {
    const missing = new Set(lanes)
    const all = yield* Deferred.make<void>()
    listed = all
    const follow = (lane: (typeof lanes)[number]) =>
      lane({
        onListed: Effect.suspend(() =>
          missing.delete(lane) && missing.size === 0 ? Deferred.succeed(all, undefined) : Effect.void
        ),
        isDropping: () => isDropping
      })
    yield* FiberHandle.run(following, Effect.forEach(lanes, follow, { concurrency: "unbounded", discard: true }))
    if (missing.size === 0) yield* Deferred.succeed(all, undefined)
  })
  yield* start
  const ready = Effect.suspend(() => Deferred.await(listed))

  // A tick does not wait for the one before it.
  const tick = (source: PingSource) =>
    Effect.sleep(options.pingInterval).pipe(
      Effect.andThen(
        Effect.forkScoped(send((stamp) => pingMessage(source, { origin: originOf(source, origin), stamp })))
      )
    )
  for (const source of options.pingSources) yield* Effect.forkScoped(Effect.forever(tick(source)))

  return {
    /** Whether every watch knows where it begins, so that no change from now on is lost. */
    isListed: Effect.suspend(() => Deferred.isDone(listed)),
    /** Waits for that. */
    ready,
    /** The watches break off, and what changes until `endGap` is never told: a 410 with all that comes before the list. */
    beginGap: FiberHandle.clear(following),
    /** Is through when everything is listed again. */
    endGap: Effect.andThen(start, ready),
    /** From now on no change is sent, or each is again; ticks always are. */
    setDropping: (value: boolean) =>
      Effect.sync(() => {
        isDropping = value
      })
  }
})

/** A source whose manifest does not say where it is is where the others are. */
const originOf = ({ metadata }: ApiServerSource | PingSource, origin: Origin): Origin => ({
  ...origin,
  namespace: metadata.namespace ?? origin.namespace
})

type Send = (make: (stamp: Stamp) => Message) => Effect.Effect<void>

const makeSend = Effect.fnUntraced(function* (sink: string) {
  const post = yield* makePost
  const send: Send = Effect.fnUntraced(function* (make) {
    const id = yield* Effect.sync(() => randomUUID())
    const message = make({ id, time: nanoTime(yield* Clock.currentTimeNanos) })
    const once = post(sink, message).pipe(Effect.catch(Effect.succeed), Effect.map(sourceOutcome))
    const outcome = yield* deliver(sourceDelays, once)
    if (outcome._tag === "Failed") yield* Effect.logError("an event is lost", Object.fromEntries(message.headers))
  })
  return send
})

interface Following {
  readonly onListed: Effect.Effect<unknown>
  readonly isDropping: () => boolean
}

/** Follows one watch for ever, one event after the other. */
const makeLane = Effect.fnUntraced(function* (watch: Watch, { origin, send }: { origin: Origin; send: Send }) {
  const api = yield* KubernetesApi
  const wait = yield* Wait
  const scope = yield* Effect.scope
  const turn = yield* Semaphore.make(1)
  const here = originOf(watch.source, origin)
  // On its own, so that a watch that breaks off does so at once, but what it has begun to send goes its way.
  const sendInTurn = (make: (stamp: Stamp) => Message) =>
    turn.withPermit(send(make)).pipe(Effect.forkIn(scope), Effect.flatMap(Fiber.join))

  return ({ isDropping, onListed }: Following) =>
    api
      .follow(watch.path, watch.query, (object) => object)
      .pipe(
        Stream.runForEach((change): Effect.Effect<unknown> => {
          if (change._tag === "Listed") return onListed
          if (isDropping()) return Effect.void
          // In a list, objects don't say what they are.
          return Effect.flatMap(Effect.orDie(Schema.decodeUnknownEffect(KubernetesObject)(change.object)), (object) =>
            sendInTurn((stamp) => changeMessage(watch.source, { verb: change._tag, object }, { origin: here, stamp }))
          )
        }),
        Effect.tapError((error) => Effect.logError("a watch failed and begins anew", { path: watch.path }, error)),
        Effect.ignore,
        Effect.andThen(wait(relistMillis)),
        Effect.forever
      )
})

// Where the client that we watch with gives up, Knative's lists again after about this long.
const relistMillis = 800
