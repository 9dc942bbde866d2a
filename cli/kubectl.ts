/**
 * kubectl as the way to the cluster: whoever uses enbi has it, it knows every
 * kubeconfig, exec plugin and proxy, and what it is not allowed it says in
 * words that people know. A client library would bring some sixty packages for
 * what these three calls do. Its errors go to our standard error as they are.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Context, Effect, FileSystem, Layer, Option, type Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { KubernetesApi, layerAt } from "../lib/kube/api.ts"
import { Trouble } from "./trouble.ts"

type Words = ReadonlyArray<string>

export class Kubectl extends Context.Service<
  Kubectl,
  {
    /** What it prints, line by line as it comes. */
    readonly lines: (...args: Words) => Stream.Stream<string, Trouble>
    /** The whole of what it prints. */
    readonly output: (...args: Words) => Effect.Effect<string, Trouble>
    /** The API server, by a `kubectl proxy` that ends with the scope. */
    readonly api: Effect.Effect<(typeof KubernetesApi)["Service"], Trouble, Scope.Scope>
  }
>()("enbi/cli/Kubectl") {
  /** `context`: the kubeconfig's context to use instead of its current one. */
  static readonly layer = (context: Option.Option<string>) =>
    Layer.effect(
      this,
      Effect.gen(function* () {
        const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
        const files = yield* FileSystem.FileSystem
        const spawn = (args: Words, stderr: "inherit" | "pipe" = "inherit") => {
          const all = [...Option.match(context, { onNone: () => [], onSome: (name) => ["--context", name] }), ...args]
          return spawner
            .spawn(ChildProcess.make("kubectl", all, { extendEnv: true, stdin: "ignore", stderr }))
            .pipe(
              Effect.mapError(() => new Trouble({ message: "kubectl cannot be run: install it, or put it on PATH." }))
            )
        }
        const lines = (...args: Words) =>
          Stream.unwrap(
            Effect.map(spawn(args), (handle) =>
              handle.stdout.pipe(
                Stream.decodeText,
                Stream.splitLines,
                Stream.mapError((error) => new Trouble({ message: `kubectl ${args.join(" ")}: ${error.message}` })),
                Stream.concat(Stream.fromEffectDrain(mustEndWell(args, handle)))
              )
            )
          )
        const api = Effect.gen(function* () {
          // Not a port: whoever is on this machine could use that with our rights.
          const directory = yield* files.makeTempDirectoryScoped({ prefix: "enbi-" }).pipe(orNoSocket)
          const socketPath = `${directory}/api`
          // What it says when all is over, of watches that were cut, is of no interest.
          const proxy = yield* spawn(["proxy", `--unix-socket=${socketPath}`], "pipe")
          const line = yield* proxy.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead, orNoSocket)
          if (Option.isNone(line)) {
            const message = yield* orNoSocket(Stream.mkString(Stream.decodeText(proxy.stderr)))
            return yield* noSocket({ message })
          }
          yield* Effect.forkScoped(Effect.ignore(Stream.runDrain(proxy.stderr)))
          const http = NodeHttpClient.layerNodeHttpOptions({ socketPath, keepAlive: true })
          const layer = layerAt({ url: "http://localhost", token: Effect.succeedNone }).pipe(Layer.provide(http))
          return Context.get(yield* Layer.build(layer), KubernetesApi)
        })
        return Kubectl.of({
          lines,
          output: (...args) => Stream.mkString(Stream.map(lines(...args), (line) => `${line}\n`)),
          api
        })
      })
    )
}

const noSocket = (error: { readonly message: string }) =>
  new Trouble({ message: `kubectl proxy cannot be started: ${error.message}` })

const orNoSocket = Effect.mapError(noSocket)

const mustEndWell = Effect.fnUntraced(function* (args: Words, handle: ChildProcessSpawner.ChildProcessHandle) {
  const code = yield* Effect.orElseSucceed(handle.exitCode, () => -1)
  if (code === 0) return
  return yield* new Trouble({
    message: `kubectl ${args.join(" ")} ended with code ${code}. Is it the right cluster (--context), and may you do that there?`
  })
})
