/**
 * Who may use the cache when. Every build passes one gate, the intent lock;
 * behind it, one that finds the cache too large waits until it is alone:
 *
 *     build     intent ─▶ lock, shared ─▶ gives intent back ─▶ builds ─▶ gives lock back
 *     too large intent ─▶ lock, exclusive ─▶ collects ─▶ goes on as any build
 *
 * While one waits to be alone, no other passes the gate, so a stream of builds
 * cannot keep it waiting. Without the lock a collection destroys builds: Nix
 * names what a build uses by its process id, and each Pod counts its own.
 */
import { Console, Effect, Ref, Scope } from "effect"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { cacheBytes, inUnits } from "./cache-size.ts"
import { garbage, removeWhole } from "./garbage.ts"
import { hold, tryHold } from "./locks.ts"
import { type Build, collectStore } from "../build/nix-steps.ts"

/** Lets the build use the cache until the scope ends, collected before if it had become too large. */
export const enterCache = Effect.fn("enterCache")(function* (build: Build) {
  const { cache } = build.settings
  const scope = yield* Effect.scope
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* hold({ path: cache.intent, mode: "exclusive", waitingFor: "the collection of the cache" }, say(build))
      yield* makeRoom(build)
      yield* hold({ path: cache.lock, mode: "shared", waitingFor: "the collection of the cache" }, say(build)).pipe(
        Scope.provide(scope)
      )
    })
  )
})

/** Says after a build that the next one will collect. */
export const noteSize = Effect.fn("noteSize")(function* ({ settings }: Build) {
  const bytes = yield* cacheBytes(settings.cache)
  if (!isTooLarge(bytes, settings.cacheLimitBytes)) return
  yield* Console.log(
    `the cache has ${inUnits(bytes)}, more than its limit of ${inUnits(settings.cacheLimitBytes)}: the next build collects it`
  )
})

const isTooLarge = (bytes: number, limitBytes: number) => limitBytes > 0 && bytes > limitBytes

const makeRoom = Effect.fnUntraced(function* (build: Build) {
  const { cache, cacheLimitBytes } = build.settings
  const bytes = yield* cacheBytes(cache)
  const alone = { path: cache.lock, mode: "exclusive" as const }
  if (isTooLarge(bytes, cacheLimitBytes)) {
    yield* Console.log(`the cache has ${inUnits(bytes)}, more than its limit of ${inUnits(cacheLimitBytes)}`)
    yield* hold({ ...alone, waitingFor: "running builds to finish before collecting the cache" }, say(build))
    return yield* collect(build)
  }
  // Nothing waits for this: a running build is worth more than what another left behind.
  if ((yield* garbage(build.settings)).length > 0 && (yield* tryHold(alone))) yield* removeGarbage(build)
}, Effect.scoped)

// Looked for again, because before we were alone some of it was of builds that ran.
const removeGarbage = Effect.fnUntraced(function* ({ settings }: Build) {
  yield* Effect.forEach(
    yield* garbage(settings),
    (path) => Effect.andThen(Console.log(`removing ${path}`), removeWhole(path)),
    { discard: true }
  )
})

// Nix chooses what goes by chance, not by age. Leaving most of what is there keeps the cache warm, and a quarter of
// the limit is room for some builds before the next collection.
const keptShare = 0.75

const collect = Effect.fnUntraced(function* (build: Build) {
  const { cache, cacheLimitBytes } = build.settings
  const before = yield* cacheBytes(cache)
  yield* removeGarbage(build)
  const excess = Math.ceil((yield* cacheBytes(cache)) - cacheLimitBytes * keptShare)
  if (excess > 0) yield* collectStore(build, excess)
  // Nix counts what no database knows too, so that the first run may have freed less than we count.
  if (isTooLarge(yield* cacheBytes(cache), cacheLimitBytes)) yield* collectStore(build, undefined)
  const after = yield* cacheBytes(cache)
  yield* Console.log(`collected the cache: ${inUnits(Math.max(0, before - after))} freed, ${inUnits(after)} left`)
  if (isTooLarge(after, cacheLimitBytes)) return yield* stillTooLarge(after, cacheLimitBytes)
})

const stillTooLarge = (bytes: number, limitBytes: number) =>
  new Failure({
    reason: "DiskFull",
    message:
      `After collection, the namespace's cache on this node still holds ${inUnits(bytes)} (limit ${inUnits(limitBytes)}). ` +
      "Raise the setting CACHE_LIMIT, or delete NixBuilds of this namespace: their images are kept in the cache.",
    log: ""
  })

/** A wait is worth a line in the status too, if the time is over before it ends. */
const say = (build: Build) => (line: string) =>
  Effect.andThen(
    Console.log(line),
    Ref.update(build.log, (log) => ({ ...log, tail: [...log.tail, line] }))
  )
