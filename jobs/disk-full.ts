/**
 * Whether a disk is full: by what it has left at that moment, or by the
 * kernel's error number of a call of our own. What a builder prints about
 * disks says nothing of ours.
 */
import { Clock, Effect, Ref, Schedule } from "effect"
import { statfsSync } from "node:fs"
import { Failure, type FailureReason } from "../lib/nixbuild/job-result.ts"

/** What a file system has left for users other than root. */
export interface Room {
  readonly bytes: number
  readonly files: number
}

const endless: Room = { bytes: Infinity, files: Infinity }

/** The least that is left on the file systems of `paths`; one that cannot be measured counts as free. */
export const roomOn = (paths: ReadonlyArray<string>): Effect.Effect<Room> =>
  Effect.forEach(paths, (path) =>
    Effect.orElseSucceed(Effect.try({ try: () => statfsSync(path), catch: () => "unknown" as const }), () => undefined)
  ).pipe(
    Effect.map((found) =>
      found.reduce<Room>(
        (room, stats) =>
          stats === undefined
            ? room
            : {
                bytes: Math.min(room.bytes, stats.bavail * stats.bsize),
                // A file system that makes its inodes as it goes says that it has none at all.
                files: stats.files === 0 ? room.files : Math.min(room.files, stats.ffree)
              },
        endless
      )
    )
  )

// Who fails for want of room has taken nearly all there was; an image needs more than this.
const minBytes = 16 * 2 ** 20
const minFiles = 16

export const isFull = ({ bytes, files }: Room): boolean => bytes < minBytes || files < minFiles

// Nix removes what a failed build has written before it says that it failed, so a disk that was full just before counts.
const recentMillis = 5000
const sampleMillis = 200

/** Watches the room while `use` runs, which may have it looked at once more; answers also whether it ran out lately. */
export const watchRoom = Effect.fnUntraced(function* <A, E, R>(
  measure: Effect.Effect<Room>,
  use: (look: Effect.Effect<void>) => Effect.Effect<A, E, R>
) {
  const fullTime = yield* Ref.make(-Infinity)
  const look = Effect.gen(function* () {
    if (isFull(yield* measure)) yield* Ref.set(fullTime, yield* Clock.currentTimeMillis)
  })
  const value = yield* Effect.raceFirst(
    use(look),
    Effect.andThen(Effect.repeat(look, Schedule.spaced(sampleMillis)), Effect.never)
  )
  yield* look
  const isDiskFull = (yield* Clock.currentTimeMillis) - (yield* Ref.get(fullTime)) < recentMillis
  return { value, isDiskFull }
})

// Linux: ENOSPC (blocks or inodes), EDQUOT. SQLite, "Result Codes": SQLITE_FULL.
const isNoSpace = (error: unknown): boolean =>
  error instanceof Error &&
  (("code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) ||
    ("errcode" in error && error.errcode === 13) ||
    isNoSpace(error.cause) ||
    ("reason" in error && isNoSpace(error.reason)))

/** An error of a file or a program as a Job's failure: DiskFull if the disk is full, otherwise the given reason. */
export const orFailure =
  (reason: FailureReason, what = "A file could not be read or written") =>
  (error: Error): Failure =>
    isNoSpace(error)
      ? new Failure({
          reason: "DiskFull",
          message: `The node's disk or the cache volume is full. Free disk space.`,
          log: ""
        })
      : new Failure({ reason, message: `${what}: ${error.message}.`, log: "" })
