/**
 * How a command ends when it does not end well:
 *
 * | exit code | what it says                                                      |
 * |-----------|-------------------------------------------------------------------|
 * | 0         | done, and the answer is good                                      |
 * | 1         | done, and the answer is bad: a build failed, decisions differ     |
 * | 2         | it could not be done: bad usage, no cluster, a file of no records |
 * | 130       | Ctrl-C                                                            |
 */
import { Cause, Exit, Option, Schema } from "effect"

/** The answer is bad, and has been printed. */
export class BadAnswer extends Schema.TaggedError<BadAnswer>()("BadAnswer", {}) {}

/** It could not be done; the message says why, and what to do. */
export class Trouble extends Schema.TaggedError<Trouble>()("Trouble", { message: Schema.String }) {}

/** The exit code. */
export const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return 130
  return Option.exists(Cause.findErrorOption(exit.cause), (error) => error instanceof BadAnswer) ? 1 : 2
}
