/** Runs `enbi` in this process, with a kubeconfig that leads where the test wants. */
import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Effect, Exit, FileSystem, Layer, Stdio, Stream } from "effect"
import { Command } from "effect/cli"
import { TestClock, TestConsole } from "effect/testing"
import { enbi } from "../../cli/commands.ts"
import { codeOf } from "../../cli/exit.ts"
import { directory } from "./recording.ts"
import { type Routes, serve } from "./serve.ts"

interface Surroundings {
  readonly stdin?: string
  readonly cluster?: Routes
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

/** Two contexts that lead to the cluster: the current one, of the namespace `apps`, and `far`; each is a user. */
const kubeconfigOf = (server: string) => {
  const names = ["test", "far"]
  return {
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server } }],
    users: names.map((name) => ({ name, user: { token: name } })),
    contexts: names.map((user) => ({ name: user, context: { cluster: "test", user, namespace: "apps" } }))
  }
}

/** The file, which is not there if there is no cluster. */
const kubeconfig = Effect.fnUntraced(function* (cluster: Routes | undefined) {
  const files = yield* FileSystem.FileSystem
  const file = `${yield* directory}/kubeconfig`
  if (cluster !== undefined) yield* files.writeFileString(file, JSON.stringify(kubeconfigOf(yield* serve(cluster))))
  return file
})

/** What it printed, what went wrong, and its exit code. */
export const run = (
  args: ReadonlyArray<string>,
  { cluster, during = () => Effect.void, enough = Infinity, stdin = "" }: Surroundings = {}
) =>
  Effect.gen(function* () {
    const environment = ConfigProvider.fromUnknown({ KUBECONFIG: yield* kubeconfig(cluster) })
    const program = Effect.andThen(
      Effect.forkChild(during(printed), { startImmediately: true }),
      Command.runWith(enbi, { version: "test" })(args).pipe(Effect.provide(ConfigProvider.layer(environment)))
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
    Effect.scoped,
    Effect.provide(
      Layer.merge(TestConsole.layer, Stdio.layerTest({ stdin: bytes(stdin) })).pipe(
        Layer.provideMerge(NodeServices.layer)
      ),
      // Or all runs of a test would share one console.
      { local: true }
    )
  )
