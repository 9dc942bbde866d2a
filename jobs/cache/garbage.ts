/**
 * Garbage on a cache volume, beside store paths: layouts, roots and sources of
 * NixBuilds that are gone, and what killed builds left behind.
 */
import { DateTime, Effect, FileSystem, Option } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { readFilter } from "../../lib/nixbuild/uid-filter.ts"
import { type BuildSettings, uidPattern } from "../settings.ts"

// `liveTime` is by the functions' clock, a file's time by this node's. What is younger may be a NixBuild's that
// was made after the list; what is a little older too, if the clocks differ.
const maxClockDifferenceMillis = 60_000

/** The paths to remove, for one who holds the cache alone: else some are of builds that run. */
export const garbage = Effect.fn("garbage")(function* (settings: BuildSettings) {
  const { cache, uid } = settings
  const isLive = readFilter(settings.liveFilter, uid)
  // A filter without the NixBuild that is being built is useless. What it keeps by mistake, the next build removes.
  const isGone = (name: string) => isLive(uid) && uidPattern.test(name) && !isLive(name)
  const olderThan = DateTime.toEpochMillis(settings.liveTime) - maxClockDifferenceMillis
  const layouts = yield* namesIn(cache.layouts)
  const gone = [
    ...(yield* namesIn(cache.roots)).filter(isGone).map(cache.rootsOf),
    ...(yield* namesIn(cache.fetched)).filter(isGone).map(cache.fetchedOf),
    ...layouts.filter(isGone).map(cache.layout)
  ]
  return [
    ...(yield* Effect.filter(gone, (path) => isOlder(path, olderThan))),
    ...layouts.filter((name) => name.startsWith(".incoming-")).map(cache.layout),
    ...(yield* namesIn(cache.builds)).map((name) => `${cache.builds}/${name}`)
  ]
})

/** Removes what is at `path`; what a builder made read-only too. */
export const removeWhole = Effect.fn("removeWhole")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { exitCode } = yield* ChildProcessSpawner.ChildProcessSpawner
  const remove = fs.remove(path, { recursive: true, force: true })
  const makeWritable = exitCode(ChildProcess.make("chmod", ["-R", "u+rwX", "--", path], { stderr: "ignore" }))
  yield* Effect.catch(remove, () => Effect.andThen(makeWritable, remove))
})

const namesIn = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])
})

// A build that runs may replace its layout just now: what cannot be looked at is not old.
const isOlder = Effect.fnUntraced(function* (path: string, millis: number) {
  const fs = yield* FileSystem.FileSystem
  const found = yield* Effect.option(fs.lstat(path))
  return Option.exists(
    Option.flatMap(found, ({ mtime }) => mtime),
    (time) => time.getTime() < millis
  )
})
