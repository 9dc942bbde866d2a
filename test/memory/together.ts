/** All processes sweep at the same time; between any two requests of one, others may make theirs. */
import { Effect, Fiber } from "effect"
import type { Stage } from "./story.ts"

/** `seed` chooses whose request is next. */
export const together = Effect.fnUntraced(function* ({ api, processes }: Stage, seed: number) {
  const paused: Array<() => void> = []
  const { before } = api.fate
  api.fate.before = () => Effect.callback<void>((resume) => void paused.push(() => resume(Effect.void)))
  const fibers = yield* Effect.forEach(processes, ({ sweep }) => Effect.forkChild(sweep, { startImmediately: true }))
  let chance = seed
  while (fibers.some((fiber) => fiber.pollUnsafe() === undefined)) {
    // Whoever was let go comes to its next request or to its end.
    yield* Effect.yieldNow
    chance = (chance * 1_103_515_245 + 12_345) % 2_147_483_648
    const [next] = paused.splice(chance % Math.max(1, paused.length), 1)
    next?.()
  }
  api.fate.before = before
  yield* Effect.forEach(fibers, Fiber.join, { discard: true })
})
