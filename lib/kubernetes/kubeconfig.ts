/**
 * The way to the API server that a kubeconfig names, for processes outside of
 * the cluster. @kubernetes/client-node reads it and gets the credentials: client
 * certificates, tokens, and what exec plugins and OIDC give, again when their
 * time is over. It is loaded only here, since that takes a second; the requests
 * are ours, for the reasons in `connection.ts`.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type { Cluster, KubeConfig, User } from "@kubernetes/client-node"
import { Array, Config, Effect, FileSystem, Layer, Option, Schema, Semaphore } from "effect"
import { HttpClient, HttpClientError, HttpClientRequest } from "effect/http"
import { Agent as HttpAgent } from "node:http"
import type { Agent, RequestOptions } from "node:https"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"

/** There is no kubeconfig, or none that leads anywhere. */
export class KubeconfigError extends Schema.TaggedError<KubeconfigError>()("KubeconfigError", {
  message: Schema.String
}) {}

/** How to reach the API server of a kubeconfig's context. */
export interface ClusterAccess {
  readonly url: string
  readonly namespace: string
  /** Sends who we are with each request. */
  readonly client: Layer.Layer<HttpClient.HttpClient>
}

/** `context`: another one than the current. The files are found and merged as kubectl does it: the first that says something counts. */
export const readKubeconfig = Effect.fn("readKubeconfig")(function* (context: Option.Option<string>) {
  const files = yield* FileSystem.FileSystem
  const listed = yield* Config.String("KUBECONFIG").pipe(
    Config.withDefault(join(homedir(), ".kube", "config")),
    Effect.map((list) => list.split(delimiter).filter((file) => file !== ""))
  )
  const there = yield* Effect.filter(listed, (file) => Effect.orElseSucceed(files.exists(file), () => false))
  if (there.length === 0)
    return yield* new KubeconfigError({ message: `There is no kubeconfig ${listed.join(" or ")}.` })
  const { KubeConfig } = yield* Effect.tryPromise({
    try: () => import("@kubernetes/client-node"),
    catch: (cause) => new KubeconfigError({ message: `Kubeconfigs cannot be read here: ${cause}` })
  })
  const all = yield* Effect.forEach(there, (file) =>
    Effect.try({
      try: () => {
        const config = new KubeConfig()
        config.loadFromFile(file, { onInvalidEntry: "filter" })
        return config
      },
      catch: (cause) => new KubeconfigError({ message: `The kubeconfig ${file} cannot be read: ${cause}` })
    })
  )
  const merged = new KubeConfig()
  merged.loadFromOptions({
    // What client-node wants to be told of a server without TLS.
    clusters: firsts(all.flatMap((config) => config.getClusters())).map((cluster) =>
      cluster.server.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster
    ),
    users: firsts(all.flatMap((config) => config.getUsers())).map(withExecInfo),
    contexts: firsts(all.flatMap((config) => config.getContexts())),
    currentContext: Option.getOrElse(context, () => all.map((config) => config.getCurrentContext()).find(Boolean))
  })
  return yield* placeOf(merged, there)
})

const firsts = <A extends { readonly name: string }>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  Array.dedupeWith(all, (one, other) => one.name === other.name)

// By this variable a plugin knows which version of the credential is wanted; client-node leaves it out.
const withExecInfo = (user: User): User => {
  if (!user.exec) return user
  const { apiVersion, env } = user.exec
  const value = JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { interactive: false } })
  return { ...user, exec: { ...user.exec, env: [...(env ?? []), { name: "KUBERNETES_EXEC_INFO", value }] } }
}

const placeOf = Effect.fnUntraced(function* (config: KubeConfig, files: ReadonlyArray<string>) {
  const name = config.getCurrentContext()
  const cluster = config.getCurrentCluster()
  if (cluster === null) {
    const what = name ? `no context ${name} with a cluster` : "no current context"
    return yield* new KubeconfigError({ message: `There is ${what} in ${files.join(", ")}.` })
  }
  // One at a time: each would run the plugin.
  const turn = yield* Semaphore.make(1)
  const access = Effect.tryPromise({
    try: () => {
      const options: RequestOptions = {}
      return config.applyToHTTPSOptions(options).then(() => options)
    },
    catch: (cause) => new KubeconfigError({ message: `The context ${name} gives no credentials: ${cause}` })
  }).pipe(turn.withPermits(1))
  // An error in it is reported at once, and not retried like a request.
  const first = yield* access
  const place: ClusterAccess = {
    url: cluster.server,
    namespace: config.getContextObject(name)?.namespace ?? "default",
    client: Layer.effect(
      HttpClient.HttpClient,
      Effect.gen(function* () {
        const agent = yield* agentFor(cluster, first)
        const client = yield* NodeHttpClient.makeNodeHttp.pipe(Effect.provideService(NodeHttpClient.HttpAgent, agent))
        return HttpClient.mapRequestEffect(client, authenticate(agent, access))
      })
    )
  }
  return place
})

const agentFor = Effect.fnUntraced(function* ({ proxyUrl, server }: Cluster, options: RequestOptions) {
  // client-node's knows each kind of proxy, but opens a new connection for every request.
  if (proxyUrl !== undefined && isAgent(options.agent)) return { http: options.agent, https: options.agent }
  const { ca, cert, key, rejectUnauthorized, servername } = options
  const isHere = /^(localhost|127\..*|\[::1\])$/.test(new URL(server).hostname)
  return yield* NodeHttpClient.makeAgent({
    ca,
    cert,
    key,
    rejectUnauthorized,
    servername,
    keepAlive: true,
    maxSockets: 64,
    // HTTPS_PROXY and NO_PROXY, as kubectl has them.
    ...(isHere ? {} : { proxyEnv: process.env })
  })
})

const isAgent = (agent: unknown): agent is Agent => agent instanceof HttpAgent

/** Adds the headers that say who we are; a new client certificate counts for connections that begin from now on. */
const authenticate = (
  agent: NodeHttpClient.HttpAgent["Service"],
  access: Effect.Effect<RequestOptions, KubeconfigError>
) =>
  Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
    const { auth, cert, headers, key } = yield* access.pipe(
      Effect.mapError(
        (cause) =>
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause, description: cause.message })
          })
      )
    )
    Object.assign(agent.https.options, { cert, key })
    const basic = typeof auth === "string" ? [["authorization", `Basic ${Buffer.from(auth).toString("base64")}`]] : []
    const others = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)])
    return HttpClientRequest.setHeaders(request, Object.fromEntries([...basic, ...others]))
  })
