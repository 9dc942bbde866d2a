/**
 * The cluster that the kubeconfig leads to, as kubectl finds it. It is looked
 * for when a command first asks: most also work on files, far from any cluster.
 */
import { Context, Effect, type FileSystem, Layer, type Option, type Stream } from "effect"
import { KubernetesApi } from "../lib/kubernetes/connection.ts"
import { KubernetesError } from "../lib/kubernetes/error.ts"
import { readKubeconfig } from "../lib/kubernetes/kubeconfig.ts"
import { makeRequests } from "../lib/kubernetes/requests.ts"
import { makeFollow } from "../lib/kubernetes/watch.ts"
import { type Log, makeLogs } from "./build/pod-logs.ts"
import { Trouble } from "./exit.ts"

interface Connected {
  readonly api: (typeof KubernetesApi)["Service"]
  /** That of the kubeconfig's context. */
  readonly namespace: string
  /** The log of a container, line by line as it comes. */
  readonly log: (of: Log) => Stream.Stream<string, KubernetesError>
}

export class Kubernetes extends Context.Service<
  Kubernetes,
  { readonly connected: Effect.Effect<Connected, Trouble> }
>()("enbi/cli/Kubernetes") {
  /** `context`: the kubeconfig's context to use instead of its current one. */
  static readonly layer = (context: Option.Option<string>) =>
    Layer.effect(
      this,
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const files = yield* Effect.context<FileSystem.FileSystem>()
        const connected = Effect.gen(function* () {
          const { client, namespace, url } = yield* readKubeconfig(context)
          const http = yield* Layer.buildWithScope(client, scope)
          const requests = yield* Effect.provide(makeRequests({ url, token: Effect.succeedNone }), http)
          const { list, request } = requests
          const api = KubernetesApi.of({ request, list, follow: makeFollow(requests) })
          return { api, namespace, log: makeLogs(requests) }
        }).pipe(
          Effect.mapError(({ message }) => new Trouble({ message })),
          Effect.provide(files)
        )
        return Kubernetes.of({ connected: yield* Effect.cached(connected) })
      })
    )
}

/** What the API server refuses, or that it does not answer, in words that help. */
export const orTrouble = <A, E, R>(self: Effect.Effect<A, E | KubernetesError, R>) =>
  Effect.catchIf(
    self,
    (error): error is E & KubernetesError => error instanceof KubernetesError,
    (error) =>
      Effect.fail(
        new Trouble({
          message: `${[error.message, ...causesOf(error)].join(": ")}. Is it the right cluster (--context), and do you have the permission?`
        })
      )
  )

/** What lies beneath, such as that a connection is refused. */
const causesOf = ({ cause }: { readonly cause?: unknown }): ReadonlyArray<string> => {
  if (!(cause instanceof Error)) return []
  const deeper = causesOf(cause)
  return deeper.length > 0 ? deeper : [cause.message]
}
