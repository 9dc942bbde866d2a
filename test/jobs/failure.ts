/** A failure, and the log of the step that ended so. */
import { emptyLog } from "../../jobs/build/nix-log.ts"
import { Failure, type FailureReason } from "../../lib/nixbuild/job-result.ts"

export const failureWith = (reason: FailureReason, ...tail: ReadonlyArray<string>) => ({
  failure: new Failure({ reason, message: "It failed.", log: "" }),
  log: { ...emptyLog, tail }
})

export const saidBy = (raw: string) => ({ ...emptyLog, errors: [{ message: raw, raw, isPlaced: false }] })
