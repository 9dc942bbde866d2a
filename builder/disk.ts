/** What a full disk looks like, whoever says it: the kernel, Nix, its database, or a builder in its log. */
import { Failure, type FailureReason } from "../lib/oci/result.ts"

/**
 * The kernel's ENOSPC (blocks or inodes) and EDQUOT, in C's words and in those
 * of Node and Go, and SQLite's SQLITE_FULL.
 */
export const diskFullWords = /no space left on device|ENOSPC|EDQUOT|disk quota exceeded|database or disk is full/iu

/** What went wrong with a file or a program, which is nobody's fault but a full disk's, as a Job's failure. */
export const orFailure =
  (reason: FailureReason, what = "A file could not be read or written") =>
  (error: { readonly message: string; readonly cause?: unknown }): Failure =>
    diskFullWords.test(`${error.message} ${String(error.cause)}`)
      ? new Failure({ reason: "DiskFull", message: `The node's disk or the cache volume is full: make room.`, log: "" })
      : new Failure({ reason, message: `${what}: ${error.message}.`, log: "" })
