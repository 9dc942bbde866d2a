/**
 * The functions as they are on Knative: each behind its own receiver, without
 * a cache, fed with CloudEvents off the wire. Whatever becomes of the events,
 * the end is that of the embedded functions, and then nothing is written.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, Result, Scope } from "effect"
import { TestClock } from "effect/testing"
import { readAttributes, type Event } from "../../lib/cloudevents/event.ts"
import { decodeMessage, encodeBinary } from "../../lib/cloudevents/http.ts"
import { loadFunctions } from "../../lib/load.ts"
import { Receiver } from "../../lib/server/receiver.ts"
import { Settings } from "../../lib/settings.ts"
import { makeApiServer } from "./api-server.ts"
import { stateOf } from "./ending.ts"
import { settings, twoNodes } from "./given.ts"
import { liveCluster } from "./live.ts"
import { makeOracle } from "./oracle.ts"
import type { Logged } from "../../lib/memory/objects.ts"
import { play } from "./story.ts"
import { makeWorld } from "./world.ts"

const verbs = { ADDED: "add", MODIFIED: "update", DELETED: "delete" } as const

/** The event that ApiServerSource sends of a change, as it comes off the wire. */
const eventOf = ({ object, verb }: Logged, index: number) => {
  const { kind, metadata } = object
  const attributes = {
    specversion: "1.0",
    id: String(index),
    source: "https://10.96.0.1:443",
    type: `dev.knative.apiserver.resource.${verbs[verb]}`,
    datacontenttype: "application/json",
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name
  }
  const event: Event = { attributes: Result.getOrThrow(readAttributes(Object.entries(attributes))), data: object }
  return decodeMessage(encodeBinary(event, "raw"), "raw")
}

const sweep = decodeMessage(
  {
    headers: {
      "ce-specversion": "1.0",
      "ce-id": "sweep",
      "ce-source": "/apis/v1/namespaces/enbi-system/pingsources/enbi",
      "ce-type": "dev.knative.sources.ping"
    },
    body: new Uint8Array()
  },
  "raw"
)

type Arriving = ReturnType<typeof decodeMessage>

const start = Effect.fnUntraced(function* () {
  const api = makeApiServer()
  const world = makeWorld(api.objects)
  const oracle = makeOracle(api.objects, { world, excused: [] })
  for (const object of twoNodes) yield* api.objects.create(object)
  const scope = yield* Scope.make()
  const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  const receivers = yield* Effect.forEach(functions, (definition) =>
    Receiver.layer(definition).pipe(
      Layer.provide(Layer.mergeAll(liveCluster(api), Layer.succeed(Settings, settings))),
      Layer.fresh,
      Layer.buildWithScope(scope),
      Effect.map((context) => Context.get(context, Receiver))
    )
  )
  /** Each event goes to all functions; those that fail get it once more, as a Broker does it. Who sleeps is let sleep. */
  const deliver = Effect.fnUntraced(function* (events: ReadonlyArray<Arriving>, concurrency: number) {
    const receiveTwice = ({ receive }: (typeof receivers)[number], event: Arriving) => {
      const arrival = { bytes: 0, read: Effect.fromResult(event) }
      return Effect.flatMap(receive(arrival), ({ status }) => (status === 204 ? Effect.void : receive(arrival)))
    }
    const all = Effect.forEach(
      events.flatMap((event) => receivers.map((receiver) => [receiver, event] as const)),
      ([receiver, event]) => receiveTwice(receiver, event),
      { concurrency, discard: true }
    )
    const fiber = yield* Effect.forkChild(all, { startImmediately: true })
    yield* Effect.repeat(TestClock.adjust("1 second"), { until: () => fiber.pollUnsafe() !== undefined })
    yield* Fiber.join(fiber)
  })
  return { api, world, oracle, deliver, close: Scope.close(scope, Exit.void) }
})

interface Way {
  /** The events that arrive of those that are sent. */
  readonly arrive: (events: ReadonlyArray<Arriving>) => ReadonlyArray<Arriving>
  readonly concurrency: number
  /** Every how many requests one is lost, for the first rounds. */
  readonly losing?: number
}

const losingRounds = 10

const live = Effect.fnUntraced(function* ({ arrive, concurrency, losing }: Way) {
  const { api, close, deliver, oracle, world } = yield* start()
  let sent = 0
  let before = -1
  // No request is lost twice in a row: who gets no answer to it for half a minute tells people, and rightly.
  const lost = new Set<string>()
  api.fate.faultOf = ({ request, what }) => {
    if (losing === undefined || request % losing !== 0 || lost.has(what)) return void lost.delete(what)
    lost.add(what)
    return "lost"
  }
  for (let round = 0; round <= losingRounds || before !== api.objects.log.length; round += 1) {
    if (round === losingRounds) api.fate.faultOf = () => undefined
    assert.isBelow(round, 40, `it never settles: ${api.attempts.slice(-10).join(", ")}`)
    before = api.objects.log.length
    const news = api.objects.log.slice(sent).map((logged, index) => eventOf(logged, sent + index))
    sent = before
    yield* deliver(arrive(news), concurrency)
    yield* world.tick
    yield* TestClock.adjust("30 seconds")
    yield* deliver([sweep], concurrency)
  }
  const { length } = api.attempts
  yield* deliver([...api.objects.log.map(eventOf), sweep], concurrency)
  assert.deepStrictEqual(api.attempts.slice(length), [], "written when all that ever happened was told again")
  assert.deepStrictEqual(oracle.breaches, [])
  yield* close
  return { state: stateOf(api.objects.objects), requests: api.requests.length }
})

const twice = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => [...all, ...all]

describe("on Knative", () => {
  const ways: Record<string, Way> = {
    "in order": { arrive: (events) => events, concurrency: 1 },
    "all lost but the sweep": { arrive: () => [], concurrency: 1 },
    "twice, backwards, and many at once": { arrive: (events) => twice(events.toReversed()), concurrency: 16 },
    "while every 17th request fails": { arrive: (events) => events, concurrency: 4, losing: 17 }
  }
  for (const [way, how] of Object.entries(ways)) {
    it.effect(`events ${way}: the same end as in one process`, () =>
      Effect.gen(function* () {
        const { state } = yield* live(how)
        assert.deepStrictEqual(state, (yield* play({ given: twoNodes })).state)
      }).pipe(Effect.provide([NodeServices.layer, Logger.layer([])]))
    )
  }
})
