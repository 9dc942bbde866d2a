/**
 * Remembers since when this process has seen something in its present state, by
 * its own clock; another process, or a restarted one, starts over. For states
 * that count only once they have lasted, and that are recorded nowhere else.
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

// Longer than the pause between any two reconciliations.
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
