/**
 * Locks on files of the cache volume, by flock(2): they hold between Pods,
 * which share no process ids, and the kernel takes them back when their
 * program ends, however it ends.
 *
 * Node has no flock, but a lock belongs to the open file, not to a process:
 * util-linux's `flock` gets our descriptor, locks it, ends, and the lock stays
 * with us until we close the file.
 */
import { Console, Effect } from "effect"
import { spawn } from "node:child_process"
import { closeSync, constants, openSync } from "node:fs"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { orFailure } from "../disk-full.ts"

/** Which file, whether others may hold it too, and what a long wait is for, in words for the log. */
export interface Lock {
  readonly path: string
  readonly mode: "shared" | "exclusive"
  readonly waitingFor: string
}

// The file's owner may be an untrusted build: no link is followed, and a FIFO does not keep us waiting.
const flags = constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK

// Longer than builds take to pass each other, so that the log reports only waits that matter.
const silentSeconds = 1

// util-linux flock(1): the exit code when the lock is held by another.
const isHeldByOther = 1

/** Holds the lock until the scope ends, waiting for it as long as it takes; `say` gets the line about a long wait. */
export const hold = Effect.fn("hold")(function* (lock: Lock, say: (line: string) => Effect.Effect<void> = Console.log) {
  const descriptor = yield* open(lock)
  if (yield* flock(descriptor, ["-w", String(silentSeconds), `--${lock.mode}`])) return
  yield* say(`waiting for ${lock.waitingFor}`)
  yield* flock(descriptor, [`--${lock.mode}`])
})

/** Takes the lock until the scope ends if it is free, and returns whether it was. */
export const tryHold = Effect.fn("tryHold")(function* (lock: Omit<Lock, "waitingFor">) {
  const descriptor = yield* open(lock)
  return yield* flock(descriptor, ["-n", `--${lock.mode}`])
})

const open = ({ path }: Pick<Lock, "path">) =>
  Effect.acquireRelease(
    Effect.try({ try: () => openSync(path, flags, 0o644), catch: (cause) => notLocked(path, cause) }),
    (descriptor) => Effect.sync(() => closeSync(descriptor))
  )

/** Whether the descriptor is locked now. */
const flock = (descriptor: number, command: ReadonlyArray<string>) =>
  Effect.callback<boolean, Failure>((resume) => {
    const inChild = 3
    const child = spawn("flock", [...command, String(inChild)], { stdio: ["ignore", "ignore", "inherit", descriptor] })
    child.once("error", (cause) => resume(Effect.fail(notLocked("flock", cause))))
    child.once("exit", (code, signal) =>
      resume(
        code === 0 || code === isHeldByOther
          ? Effect.succeed(code === 0)
          : Effect.fail(notLocked("flock", `it ended with ${code ?? signal}`))
      )
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const notLocked = (what: string, cause: unknown) =>
  orFailure("BuildFailed", "The cache cannot be locked")(new Error(`${what}: ${String(cause)}`, { cause }))
