/** Caches that show an older world, each kind in its own time, and watches that lose their place. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { onePod, twoNodes } from "./given.ts"
import { allEnd, sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { kindNames } from "./replica.ts"
import { play, round, type Script } from "./story.ts"

const excused = ["what nothing disturbs ends well"] as const

/** After this write the only process hears no more of these kinds, for longer than a build takes. */
const behind = (kinds: ReadonlyArray<string>, write: number): Script => ({
  given: onePod,
  excused,
  happens: (stage) =>
    Effect.gen(function* () {
      stage.api.fate.after = (counted) =>
        Effect.sync(() => {
          if (counted.write === write) for (const kind of kinds) stage.first.condition.lagging.add(kind)
        })
      for (let rounds = 0; rounds < 9; rounds += 1) yield* round(stage)
    })
})

const all = kindNames.filter((kind) => kind !== "Namespace" && kind !== "Node")

for (const [what, kindsOf] of Object.entries({
  "each kind": (kind: string) => [kind],
  "each kind but one": (kind: string) => all.filter((name) => name !== kind)
})) {
  it.effect(`${what} falls behind after each write: the same end`, () =>
    Effect.gen(function* () {
      const { state, writes } = yield* play({ given: onePod })
      const stories = all.flatMap((kind) =>
        writes.map((change, write): readonly [string, Script] => [
          `${kind} at write ${write}, ${change}`,
          behind(kindsOf(kind), write)
        ])
      )
      yield* allEnd({ state }, stories)
    })
  )
}

it.effect(
  "a process sleeps after each write, wakes up when all is over, and first acts on what it knew of each kind: the same end",
  () =>
    Effect.gen(function* () {
      const replicas = [{}, {}]
      const { state, writes } = yield* play({ given: onePod, replicas })
      const sleeper = (kind: string, write: number): Script => ({
        given: onePod,
        replicas,
        excused,
        happens: (stage) =>
          Effect.gen(function* () {
            const [awake, asleep] = stage.processes
            if (awake === undefined || asleep === undefined) return
            stage.api.fate.after = (counted) =>
              counted.write === write
                ? Effect.andThen(
                    asleep.catchUp(kindNames),
                    Effect.sync(() => void asleep.condition.lagging.add(kind))
                  )
                : Effect.void
            for (let rounds = 0; rounds < 9; rounds += 1) yield* round({ ...stage, processes: [awake] })
            yield* asleep.sweep
          })
      })
      const stories = all.flatMap((kind) =>
        writes.map((what, write): readonly [string, Script] => [
          `old ${kind} of write ${write}, ${what}`,
          sleeper(kind, write)
        ])
      )
      yield* allEnd({ state }, stories)
    })
)

it.effect("however old the world is that a process sees: the same end", () =>
  sameEnd({
    given: twoNodes,
    words: [...words.events, ...words.views, "deliver", "sweep", "catch-up", ...words.always],
    runs: 30,
    excused
  })
)
