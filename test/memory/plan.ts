/** A list of mishaps, written down so that fast-check can make, shrink and print it. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { type Fault, faults } from "./faults.ts"
import { kindNames, type Replica } from "./replica.ts"
import { together } from "./together.ts"
import type { Stage } from "./story.ts"

const events = ["deliver", "drop", "double"] as const
const views = ["lag", "catch-up", "relist"] as const
const processSteps = ["stop", "start", "skew", "together"] as const
const always = ["others", "sweep", "wait"] as const

export type Word = (typeof events | typeof views | typeof processSteps | typeof always | typeof faults)[number]
/** What happens, and a number that chooses to whom and to which. */
export type Plan = ReadonlyArray<readonly [Word, number]>

export const words = { events, views, processes: processSteps, always, faults }

export const plansOf = (...vocabulary: ReadonlyArray<Word>): fc.Arbitrary<Plan> =>
  fc.array(fc.tuple(fc.constantFrom(...vocabulary), fc.nat(1000)), { maxLength: 60 })

const isFault = (word: Word): word is (typeof faults)[number] => faults.some((fault) => fault === word)

const minutes = (pick: number) => ((pick % 241) - 120) * 60_000

export const follow =
  (plan: Plan) =>
  (stage: Stage): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { api, processes, world } = stage
      const coming: Array<Fault> = []
      api.fate.faultOf = () => coming.shift()
      for (const [word, pick] of plan) {
        const replica = processes[pick % processes.length] ?? stage.first
        const choice = Math.floor(pick / processes.length)
        if (isFault(word)) coming.push(word)
        else if (word === "others") yield* world.tick
        else if (word === "together") yield* together(stage, pick)
        else if (word === "wait") yield* TestClock.adjust("10 seconds")
        else yield* befall(word, { replica, choice })
      }
      api.fate.faultOf = () => undefined
    })

interface Whom {
  readonly replica: Replica
  readonly choice: number
}

const befall = Effect.fnUntraced(function* (
  word: Exclude<Word, (typeof faults)[number] | "others" | "wait" | "together">,
  { choice, replica }: Whom
): Effect.fn.Return<void> {
  const kind = kindNames.slice(choice % kindNames.length).slice(0, 1)
  if (word === "sweep") return yield* replica.sweep
  if (word === "lag") for (const name of kind) replica.condition.lagging.add(name)
  if (word === "catch-up") return yield* replica.catchUp(kind, 1 + (choice % 5))
  if (word === "relist") return yield* replica.relist(kind)
  if (word === "stop") return yield* replica.stop
  if (word === "start") return yield* replica.isUp() ? Effect.void : replica.start
  if (word === "skew") replica.condition.skewMillis = minutes(choice)
  if (word === "deliver" || word === "drop" || word === "double") {
    const [event] = replica.mailbox.splice(choice % Math.max(1, replica.mailbox.length), 1)
    if (event === undefined || word === "drop") return
    yield* replica.deliver(event)
    if (word === "double") yield* replica.deliver(event)
  }
})
