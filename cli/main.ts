/** `enbi`: the command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect } from "effect"
import { CliError, Command } from "effect/cli"
import { enbi } from "./commands.ts"
import { BadAnswer, codeOf } from "./exit.ts"
import { version } from "../lib/version.ts"

// The reader of our output, such as head, may stop early.
process.stdout.on("error", () => process.exit(0))

enbi.pipe(
  Command.run({ version }),
  // Bad usage has been reported with the help, and so has a bad answer.
  Effect.tapError((error) =>
    CliError.isCliError(error) || error instanceof BadAnswer ? Effect.void : Console.error(error.message)
  ),
  Effect.tapDefect((defect) => Console.error("This is a bug in enbi:", defect)),
  Effect.provide(NodeServices.layer),
  (program) =>
    NodeRuntime.runMain(program, {
      disableErrorReporting: true,
      teardown: (exit, done) => done(codeOf(exit))
    })
)
