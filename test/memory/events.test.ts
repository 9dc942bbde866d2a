/** Events that are lost, doubled, late, out of order; and the sweep that makes up for all of them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { onePod, twoNodes } from "./given.ts"
import { sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { play } from "./story.ts"

it.effect("every Pod that can start starts, every failure is told, with no event but the sweep", () =>
  Effect.gen(function* () {
    const { state } = yield* play({ given: twoNodes })
    const of = (kind: string) => state.filter((line) => line.startsWith(`${kind} `))
    assert.deepStrictEqual(
      of("NixBuild")
        .map((line) => line.split(" ").slice(2).join(" "))
        .toSorted(),
      [
        "Failed BuildFailed one one:BuildFailed",
        "Succeeded one two one:ImagePulled two:ImagePulled",
        "Succeeded two two:ImagePulled"
      ]
    )
    assert.deepStrictEqual(
      of("Pod").filter((line) => !line.startsWith("Pod of")),
      ["Pod a-1 Running", "Pod a-2 Running", "Pod b Pending"]
    )
    assert.include(of("Event"), "Event Pod b BuildFailed")
    // Only the failed build's Job is kept.
    assert.lengthOf(of("Job"), 1)
  })
)

it.effect("no sweep is needed when no event is lost", () =>
  Effect.gen(function* () {
    const { state } = yield* play({ given: onePod })
    const end = yield* play({
      given: onePod,
      happens: ({ api, first, world }) =>
        Effect.gen(function* () {
          for (let before = -1; before !== api.objects.log.length;) {
            before = api.objects.log.length
            yield* first.deliverAll
            yield* world.tick
          }
          const { length } = api.attempts
          yield* first.sweep
          assert.deepStrictEqual(api.attempts.slice(length), [])
        })
    })
    assert.deepStrictEqual(end.state, state)
  })
)

it.effect("whatever becomes of events: the same end, then zero writes", () =>
  sameEnd({ given: twoNodes, words: [...words.events, "deliver", ...words.always], runs: 30 })
)

it.effect("whatever becomes of events and writes: the same end, then zero writes", () =>
  sameEnd({ given: twoNodes, words: [...words.events, "deliver", ...words.always, ...words.faults], runs: 30 })
)
