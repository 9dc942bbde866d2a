/** Runs the commands that make images and clusters; what they print to stderr is their progress. */
import { Effect, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String
}) {}

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: Record<string, string>
  readonly input?: string
}

/** What the command writes to stdout; fails when it ends with another code than 0. Its stderr is ours. */
export const output = Effect.fn("output")(function* ({ args, command, env, input }: Command) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner.spawn(
    ChildProcess.make(command, args, {
      extendEnv: true,
      stderr: "inherit",
      ...(env === undefined ? {} : { env }),
      stdin: input === undefined ? "ignore" : Stream.make(new TextEncoder().encode(input))
    })
  )
  const text = yield* Stream.mkString(Stream.decodeText(handle.stdout))
  const code = yield* handle.exitCode
  if (code !== 0) return yield* new CommandFailed({ message: `${command} ${args.join(" ")} ended with code ${code}` })
  return text
}, Effect.scoped)
