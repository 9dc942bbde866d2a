/**
 * The functions as they are on Knative: each behind its own receiver, without
 * a cache, fed with CloudEvents off the wire. Whatever becomes of the events,
 * the end is that of the embedded functions, and then nothing is written.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import { stateOf } from "./ending.ts"
import { twoNodes } from "./given.ts"
import { type Arriving, eventOf, startKnative, sweep } from "./knative.ts"
import { play } from "./story.ts"

interface Way {
  /** The events that arrive of those that are sent. */
  readonly arrive: (events: ReadonlyArray<Arriving>) => ReadonlyArray<Arriving>
  readonly concurrency: number
  /** Every how many requests one is lost, for the first rounds. */
  readonly losing?: number
}

const losingRounds = 10

const live = Effect.fnUntraced(function* ({ arrive, concurrency, losing }: Way) {
  const { api, close, deliver, oracle, world } = yield* startKnative(twoNodes)
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
