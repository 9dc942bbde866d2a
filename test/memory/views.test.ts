/** Caches that show an older world, each kind in its own time, and watches that lose their place. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { onePod, twoNodes } from "./given.ts"
import { allEnd, sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { kindNames } from "./replica.ts"
import { play, round, type Script } from "./story.ts"

const excused = ["what nothing disturbs ends well"]

/** After this write the process hears no more of this kind, for longer than a build takes. */
const behind = (kind: string, write: number): Script => ({
  given: onePod,
  excused,
  happens: (stage) =>
    Effect.gen(function* () {
      stage.api.fate.after = (counted) =>
        Effect.sync(() => {
          if (counted.write === write) stage.first.condition.lagging.add(kind)
        })
      for (let rounds = 0; rounds < 9; rounds += 1) yield* round(stage)
    })
})

it.effect(
  "each kind falls behind after each write: the same end",
  () =>
    Effect.gen(function* () {
      const { state, writes } = yield* play({ given: onePod })
      const stories = kindNames.flatMap((kind) =>
        writes.map((what, write): readonly [string, Script] => [
          `${kind} after write ${write}, ${what}`,
          behind(kind, write)
        ])
      )
      yield* allEnd({ state }, stories)
    }),
  60_000
)

it.effect(
  "however old the world is that a process sees: the same end",
  () =>
    sameEnd({
      given: twoNodes,
      words: [...words.events, ...words.views, "deliver", "sweep", "catch-up", ...words.always],
      runs: 60,
      excused
    }),
  60_000
)
