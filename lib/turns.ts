/** Work on thousands of objects with pauses for other work: the process must answer, for example its health checks. */
import { Effect } from "effect"

// What is done to one is some microseconds.
const size = 250

export const mapInTurns = Effect.fnUntraced(function* <A, B>(all: ReadonlyArray<A>, map: (one: A) => B) {
  const mapped: Array<B> = []
  for (let from = 0; from < all.length; from += size) {
    if (from > 0) yield* Effect.yieldNow
    for (const one of all.slice(from, from + size)) mapped.push(map(one))
  }
  return mapped
})
