/** Runs `enbi` in this process, with a kubectl that says what the test wants. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Exit, Layer, type Scope, Sink, Stdio, Stream } from "effect"
import { Command } from "effect/cli"
import { ChildProcessSpawner } from "effect/process"
import { TestClock, TestConsole } from "effect/testing"
import { enbi } from "../../cli/commands.ts"
import { codeOf } from "../../cli/trouble.ts"

/** What kubectl prints, and how it ends: never, if there is no code. */
export interface Said {
  readonly stdout: string
  readonly code?: number
}

/** What it says to these words; nothing for words that the test does not expect. */
export type Kubectl = (words: ReadonlyArray<string>) => Said | Effect.Effect<Said, never, Scope.Scope> | undefined

interface Surroundings {
  readonly stdin?: string
  readonly kubectl?: Kubectl
  /** It is interrupted, as by Ctrl-C, when it has printed so many lines. */
  readonly enough?: number
  /** What goes on in the cluster meanwhile. */
  readonly during?: (printed: Printed) => Effect.Effect<void>
}

/** Waits until a line with this text in it was printed. */
export type Printed = (text: string) => Effect.Effect<void>

const printed: Printed = Effect.fnUntraced(function* (text) {
  const isThere = Effect.map(TestConsole.logLines, (lines) => lines.some((line) => String(line).includes(text)))
  while (!(yield* isThere)) yield* TestClock.withLive(Effect.sleep("2 millis"))
})

const bytes = (text: string) => Stream.make(new TextEncoder().encode(text))

const spawner = (kubectl: Kubectl) =>
  ChildProcessSpawner.make((command) => {
    const words = command._tag === "StandardCommand" ? command.args.map(String) : []
    const said = kubectl(words)
    if (said === undefined) return Effect.die(new Error(`the test knows no kubectl ${words.join(" ")}`))
    return Effect.map(Effect.isEffect(said) ? said : Effect.succeed({ code: 0, ...said }), ({ code, stdout }) =>
      ChildProcessSpawner.makeHandle({
        pid: ChildProcessSpawner.ProcessId(1),
        exitCode: code === undefined ? Effect.never : Effect.succeed(ChildProcessSpawner.ExitCode(code)),
        isRunning: Effect.succeed(false),
        kill: () => Effect.void,
        stdin: Sink.drain,
        stdout: bytes(stdout),
        stderr: Stream.empty,
        all: Stream.empty,
        getInputFd: () => Sink.drain,
        getOutputFd: () => Stream.empty,
        unref: Effect.succeed(Effect.void)
      })
    )
  })

/** What it printed, what went wrong, and its exit code. */
export const run = (
  args: ReadonlyArray<string>,
  { during = () => Effect.void, enough = Infinity, kubectl = () => undefined, stdin = "" }: Surroundings = {}
) =>
  Effect.gen(function* () {
    const program = Effect.andThen(
      Effect.forkChild(during(printed), { startImmediately: true }),
      Command.runWith(enbi, { version: "test" })(args)
    )
    const read = Effect.gen(function* () {
      while ((yield* TestConsole.logLines).length < enough) yield* TestClock.withLive(Effect.sleep("5 millis"))
      return yield* Effect.interrupt
    })
    const exit = yield* Effect.exit(enough === Infinity ? program : Effect.raceFirst(program, read))
    const failure = Exit.isFailure(exit) ? String(exit.cause) : ""
    const [out, error] = yield* Effect.all([TestConsole.logLines, TestConsole.errorLines])
    return { out: out.join("\n"), failure: [...error, failure].join("\n"), code: codeOf(exit) }
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        TestConsole.layer,
        Stdio.layerTest({ stdin: bytes(stdin) }),
        Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, spawner(kubectl))
      ).pipe(Layer.provideMerge(NodeServices.layer)),
      // Or all runs of a test would share one console.
      { local: true }
    )
  )
