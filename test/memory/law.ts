/** A law over plans: whatever happens, the story ends as it does when nothing happens. */
import { Cause, Effect, Equal, Exit } from "effect"
import fc from "fast-check"
import { assert } from "vitest"
import { follow, plansOf, type Word } from "./plan.ts"
import { play, type Script } from "./story.ts"

interface Law extends Omit<Script, "happens" | "fault"> {
  readonly words: ReadonlyArray<Word>
  readonly runs: number
  /** Lines of the state that may differ. */
  readonly but?: RegExp
}

const without = (all: ReadonlyArray<string>, but: RegExp | undefined): ReadonlyArray<string> =>
  all.filter((line) => but === undefined || !but.test(line))

export const sameEnd = ({ but, runs, words, ...script }: Law) =>
  Effect.gen(function* () {
    const { state } = yield* play(script)
    yield* Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(plansOf(...words), async (plan) => {
          const end = await Effect.runPromise(play({ ...script, happens: follow(plan) }))
          assert.deepStrictEqual(without(end.state, but), without(state, but))
        }),
        { numRuns: runs }
      )
    )
  })

interface Bounds {
  readonly state: ReadonlyArray<string>
  /** At most so many writes. */
  readonly writes?: number
  /** Lines of the state that may differ. */
  readonly but?: RegExp
}

/** Plays one story for each name and tells of all that do not end as they should. */
export const allEnd = Effect.fnUntraced(function* (
  { but, state, writes = Infinity }: Bounds,
  stories: ReadonlyArray<readonly [string, Script]>
) {
  const bad: Array<string> = []
  for (const [name, script] of stories) {
    const exit = yield* Effect.exit(play(script))
    if (Exit.isFailure(exit)) bad.push(`${name}: ${Cause.pretty(exit.cause)}`)
    else if (!Equal.equals(without(exit.value.state, but), without(state, but))) {
      const lines = (all: ReadonlyArray<string>, except: ReadonlyArray<string>) =>
        all.filter((line) => !except.includes(line))
      bad.push(`${name}: ${lines(exit.value.state, state).join()} instead of ${lines(state, exit.value.state).join()}`)
    } else if (exit.value.writes.length > writes) {
      bad.push(`${name}: ${exit.value.writes.length} writes where ${writes} are enough`)
    }
  }
  assert.deepStrictEqual(bad, [], bad.join("\n"))
})
