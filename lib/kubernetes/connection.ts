/**
 * The way to the API server: requests (`requests.ts`) and a watch that stays
 * (`watch.ts`), as a Pod's ServiceAccount or as a kubeconfig says.
 *
 * Why not @kubernetes/client-node's: version 2.0.1 opens a new connection for
 * every request, gives up a watch after 30 s of silence, and its informer asks
 * for no bookmarks. A log that is silent for 300 s or breaks off ends the
 * process there, by an error that cannot be caught.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Config, Context, Effect, FileSystem, Layer, Option, type Stream } from "effect"
import { KubernetesError } from "./error.ts"
import { type ClusterAccess, readKubeconfig } from "./kubeconfig.ts"
import { type Connection, makeRequests, type Query, type Read, type Requests } from "./requests.ts"
import { type Change, makeFollow } from "./watch.ts"

export class KubernetesApi extends Context.Service<
  KubernetesApi,
  {
    readonly request: Requests["request"]
    readonly list: Requests["list"]
    /** Fails only with what is not worth another try: 401, 403, 404. */
    readonly follow: <A>(path: string, query: Query, read: Read<A>) => Stream.Stream<Change<A>, KubernetesError>
  }
>()("enbi/lib/kubernetes/KubernetesApi") {
  /**
   * The first that there is of: `KUBERNETES_URL` (such as `kubectl proxy` gives), `KUBECONFIG`, a Pod's ServiceAccount,
   * and the kubeconfig in the home directory.
   */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const given = (name: string) => Config.String(name).pipe(Config.option)
      const url = yield* given("KUBERNETES_URL")
      if (Option.isSome(url)) {
        return layerWith({ url: url.value, client: NodeHttpClient.layerNodeHttpOptions(pool) })
      }
      const isInCluster = Option.isSome(yield* given("KUBERNETES_SERVICE_HOST"))
      if (isInCluster && Option.isNone(yield* given("KUBECONFIG"))) return layerInCluster
      return layerWith(yield* readKubeconfig(Option.none()))
    })
  )
}

/** What `client` itself says who we are. */
export const layerWith = ({ client, url }: Pick<ClusterAccess, "client" | "url">) =>
  layerAt({ url, token: Effect.succeedNone }).pipe(Layer.provide(client))

// Each watch holds a connection; what else there is shares the rest.
const pool = { keepAlive: true, maxSockets: 64 }

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

const layerInCluster = Layer.unwrap(
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const host = yield* Config.String("KUBERNETES_SERVICE_HOST")
    const port = yield* Config.String("KUBERNETES_SERVICE_PORT")
    const ca = yield* files.readFileString(`${serviceAccount}/ca.crt`)
    // kubelet rotates the token in the file, so it is read again now and then.
    const token = yield* Effect.cachedWithTTL(
      files.readFileString(`${serviceAccount}/token`).pipe(
        Effect.map((content) => Option.some(content.trim())),
        Effect.mapError((cause) => new KubernetesError({ status: 0, reason: "Token", message: cause.message, cause }))
      ),
      "1 minute"
    )
    const bracketed = host.includes(":") ? `[${host}]` : host
    return layerAt({ url: `https://${bracketed}:${port}`, token }).pipe(
      Layer.provide(NodeHttpClient.layerNodeHttpOptions({ ca, ...pool }))
    )
  })
)

/** Over whatever HttpClient is there: tests give one that is bound to a server of theirs. */
export const layerAt = (connection: Connection) =>
  Layer.effect(
    KubernetesApi,
    Effect.map(makeRequests(connection), (requests) => {
      const { list, request } = requests
      return KubernetesApi.of({ request, list, follow: makeFollow(requests) })
    })
  )
