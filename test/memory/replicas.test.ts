/** None, one, or three processes, of different versions and with clocks of their own. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { onePod, twoNodes, waitingPod } from "./given.ts"
import { sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { kindNames } from "./replica.ts"
import { play, round } from "./story.ts"

it.effect("three processes at once, two versions, clocks apart, some of them stopped: the same end", () =>
  sameEnd({
    given: twoNodes,
    replicas: [{}, { builderImage: "enbi-builder:next" }, {}],
    words: [...words.events, ...words.views, ...words.processes, "together", "start", ...words.always],
    runs: 15,
    // To the process whose clock is ahead a Pod that was just woken has waited for an hour: the image comes once more.
    but: /^Event .* Image(Vanished|Pulled)$/,
    excused: ["what nothing disturbs ends well"]
  })
)

it.effect("nobody is there for an hour: nothing is lost", () =>
  Effect.gen(function* () {
    const { state } = yield* play({ given: onePod })
    const end = yield* play({
      given: onePod,
      happens: (stage) =>
        Effect.gen(function* () {
          for (let rounds = 0; rounds < 3; rounds += 1) {
            yield* round(stage)
            yield* stage.first.stop
            for (let missed = 0; missed < 120; missed += 1) yield* round(stage)
            yield* stage.first.start
          }
        })
    })
    assert.deepStrictEqual(end.state, state)
  })
)

it.effect("what another process made already is no failure", () =>
  Effect.gen(function* () {
    const { state } = yield* play({ given: onePod })
    const end = yield* play({
      given: onePod,
      replicas: [{}, {}],
      happens: ({ processes }) =>
        Effect.gen(function* () {
          const [first, second] = processes
          for (const kind of kindNames) second?.condition.lagging.add(kind)
          yield* first?.sweep ?? Effect.void
          yield* second?.sweep ?? Effect.void
        })
    })
    assert.deepStrictEqual(end.state, state)
  })
)

it.effect("a process that does not see the claim of a prepared volume makes no volume Job again", () =>
  Effect.gen(function* () {
    const other = waitingPod({ name: "d", nodeName: "one", image: "reg.io/d:1", packageName: "good" })
    const { state } = yield* play({ given: [...onePod, other] })
    const end = yield* play({
      given: onePod,
      replicas: [{}, {}],
      happens: ({ api, processes, world }) =>
        Effect.gen(function* () {
          const [first, second] = processes
          second?.condition.lagging.add("PersistentVolumeClaim")
          for (let rounds = 0; rounds < 4; rounds += 1) {
            yield* first?.deliverAll ?? Effect.void
            yield* world.tick
          }
          assert.include(api.writes.join(), "create PersistentVolumeClaim")
          yield* Effect.orDie(api.objects.create(other))
          for (let sweeps = 0; sweeps < 3; sweeps += 1) yield* second?.sweep ?? Effect.void
        })
    })
    assert.deepStrictEqual(end.state, state)
  })
)

for (const [what, skews] of Object.entries({
  "an hour ahead": [3600],
  "an hour behind": [-3600],
  "back and forth": [3600, -3600, 0]
})) {
  it.effect(`the clock is ${what}: the same end, and no condition's time moves without its status`, () =>
    Effect.gen(function* () {
      const { state } = yield* play({ given: twoNodes })
      const end = yield* play({
        given: twoNodes,
        happens: (stage) =>
          Effect.gen(function* () {
            for (let rounds = 0; rounds < 12; rounds += 1) {
              stage.first.condition.skewMillis = 1000 * (skews[rounds % skews.length] ?? 0)
              yield* round(stage)
            }
          })
      })
      assert.deepStrictEqual(end.state, state)
    })
  )
}
