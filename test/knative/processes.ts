/** Starts the stand-ins as processes of their own. */
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { fileURLToPath } from "node:url"

/** It ended before it told where it is; the message is what it said. */
export class NotStarted extends Schema.TaggedError<NotStarted>()("NotStarted", { message: Schema.String }) {}

type Environment = Readonly<Record<string, string>>

const start = Effect.fnUntraced(function* (file: string, environment: Environment) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const process_ = yield* spawner.spawn(
    ChildProcess.make(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
      env: { ...environment },
      extendEnv: true,
      stdin: "ignore",
      stderr: "inherit"
    })
  )
  const url = yield* Deferred.make<string, NotStarted>()
  const lines: Array<string> = []
  const end = yield* process_.stdout.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => {
      lines.push(line)
      const [, found] = /^listening on (\S+)$/.exec(line) ?? []
      return found === undefined ? Effect.void : Deferred.succeed(url, found)
    }),
    Effect.ignore,
    Effect.andThen(Effect.suspend(() => Deferred.fail(url, new NotStarted({ message: lines.join("\n") })))),
    Effect.forkScoped
  )
  return {
    /** Without a slash at its end. */
    url: yield* Deferred.await(url),
    kill: (signal: "SIGTERM" | "SIGKILL") => process_.kill({ killSignal: signal }),
    exitCode: process_.exitCode,
    /** All that it wrote to standard output; waits for its end. */
    output: Effect.andThen(
      Fiber.await(end),
      Effect.sync(() => lines.join("\n"))
    )
  }
})

/** `test/knative/broker.ts`, which says what its environment may be; it is killed with the scope. */
export const startBroker = (environment: Environment) => start("broker.ts", environment)

/** `test/knative/source.ts`, likewise. */
export const startSource = (environment: Environment) => start("source.ts", environment)
