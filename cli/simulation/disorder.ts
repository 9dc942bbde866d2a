/** Disorders events: some are lost, some come twice, in any order. The final state must not depend on it. */
import { Console, Effect, Option, Random } from "effect"
import { Flag } from "effect/cli"

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withoutNegation, Flag.withDefault(false))

/** The flags. */
export const disorderFlags = {
  shuffle: flag("shuffle", "Deliver the events in random order"),
  duplicate: flag("duplicate", "Deliver half of the events twice"),
  drop: flag("drop", "Drop half of the events"),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Seed for --shuffle, --duplicate and --drop, to repeat a run"),
    Flag.optional
  )
}

export interface Disorder {
  readonly shuffle: boolean
  readonly duplicate: boolean
  readonly drop: boolean
  readonly seed: Option.Option<number>
}

/** Whether there is any. */
export const isDisorder = ({ drop, duplicate, shuffle }: Disorder): boolean => drop || duplicate || shuffle

/** `all` in disorder; prints the seed, to repeat it. */
export const disordered = Effect.fnUntraced(function* <A>(all: ReadonlyArray<A>, disorder: Disorder) {
  if (!isDisorder(disorder)) return all
  const seed = Option.isSome(disorder.seed) ? disorder.seed.value : yield* Random.nextIntBetween(1, 1_000_000)
  yield* Console.log(`--seed ${seed}`)
  return yield* disturb(all, disorder).pipe(Random.withSeed(seed))
})

const disturb = Effect.fnUntraced(function* <A>(all: ReadonlyArray<A>, { drop, duplicate, shuffle }: Disorder) {
  const kept = drop ? yield* Effect.filter(all, () => Random.nextBoolean) : all
  const some = duplicate ? yield* Effect.filter(kept, () => Random.nextBoolean) : []
  const told = kept.flatMap((each) => (some.includes(each) ? [each, each] : [each]))
  return shuffle ? yield* Random.shuffle(told) : told
})
