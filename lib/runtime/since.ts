/**
 * Since when this process has seen something be as it is, by its own clock:
 * another process, or one that starts anew, learns it anew. For what must last
 * before it counts, and nobody else writes down.
 */
import { Context, Effect } from "effect"
import { currentTime, secondsBetween } from "../kubernetes/time.ts"

export interface Sight {
  readonly words: string
  readonly sinceTime: string
  readonly lastTime: string
}

export const Sights = Context.Reference<Map<string, Sight>>("enbi/lib/runtime/Sights", {
  defaultValue: () => new Map()
})

// Longer than anybody waits before another look.
const forgottenSeconds = 600

/** Since when `what` has been seen to be as `words` say. */
export const seenSince = Effect.fnUntraced(function* ({
  what,
  words
}: {
  readonly what: string
  readonly words: string
}) {
  const sights = yield* Sights
  const time = yield* currentTime
  for (const [key, { lastTime }] of sights) {
    if (secondsBetween(lastTime, time) > forgottenSeconds) sights.delete(key)
  }
  const before = sights.get(what)
  const sinceTime = before?.words === words ? before.sinceTime : time
  sights.set(what, { words, sinceTime, lastTime: time })
  return sinceTime
})

/** It is not so any more. */
export const unsee = (what: string) => Effect.map(Sights, (sights) => sights.delete(what))
