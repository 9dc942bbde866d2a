/** Runs `enbi` in this process, with a kubectl that says what the test wants. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Exit, Layer, Sink, Stdio, Stream } from "effect"
import { Command } from "effect/cli"
import { ChildProcessSpawner } from "effect/process"
import { TestConsole } from "effect/testing"
import { enbi } from "../../cli/enbi.ts"
import { codeOf } from "../../cli/trouble.ts"

/** What kubectl prints for these words, and how it ends. */
export type Kubectl = (words: ReadonlyArray<string>) => { readonly stdout: string; readonly code?: number } | undefined

interface Surroundings {
  readonly stdin?: string
  readonly kubectl?: Kubectl
}

const bytes = (text: string) => Stream.make(new TextEncoder().encode(text))

const spawner = (kubectl: Kubectl) =>
  ChildProcessSpawner.make((command) => {
    const words = command._tag === "StandardCommand" ? command.args.map(String) : []
    const said = kubectl(words)
    if (said === undefined) return Effect.die(new Error(`the test knows no kubectl ${words.join(" ")}`))
    return Effect.succeed(
      ChildProcessSpawner.makeHandle({
        pid: ChildProcessSpawner.ProcessId(1),
        exitCode: Effect.succeed(ChildProcessSpawner.ExitCode(said.code ?? 0)),
        isRunning: Effect.succeed(false),
        kill: () => Effect.void,
        stdin: Sink.drain,
        stdout: bytes(said.stdout),
        stderr: Stream.empty,
        all: Stream.empty,
        getInputFd: () => Sink.drain,
        getOutputFd: () => Stream.empty,
        unref: Effect.succeed(Effect.void)
      })
    )
  })

/** What it printed, what went wrong, and its exit code. */
export const run = (args: ReadonlyArray<string>, { kubectl = () => undefined, stdin = "" }: Surroundings = {}) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Command.runWith(enbi, { version: "test" })(args))
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
