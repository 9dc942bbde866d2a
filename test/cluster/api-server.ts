/**
 * The API server, asked from the test's own process: what `kubectl` would say
 * to it, without a process for each word, which costs as much as the request.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Context, Effect, FileSystem, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpMethod } from "effect/http"
import { parse } from "yaml"
import { type Identified, type Kind, KubernetesObject, pathOf } from "../../lib/kubernetes/kind.ts"
import { reading } from "../../lib/kubernetes/cluster.ts"
import { KubernetesApi, layerAt } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { fromClient, type Query } from "../../lib/kubernetes/requests.ts"

/** Path of the kubeconfig that leads to the cluster. */
export class Kubeconfig extends Context.Service<Kubeconfig, string>()("enbi/test/Kubeconfig") {}

interface Question {
  readonly query?: Query
  readonly body?: { readonly type: `application/${string}`; readonly value: unknown }
  /** Whose rights count, where it is not the kubeconfig's user. */
  readonly as?: string | undefined
  /** With the rights of this group. */
  readonly asGroup?: string | undefined
}

/** The text of the answer, or the refusal. */
export class ApiServer extends Context.Service<
  ApiServer,
  {
    readonly ask: (
      method: HttpMethod.HttpMethod,
      path: string,
      question?: Question
    ) => Effect.Effect<string, KubernetesError>
  }
>()("enbi/test/ApiServer") {}

// As kind writes it: one cluster, and a user with a certificate.
const File = Schema.Struct({
  clusters: Schema.NonEmptyArray(
    Schema.Struct({
      cluster: Schema.Struct({ server: Schema.String, "certificate-authority-data": Schema.StringFromBase64 })
    })
  ),
  users: Schema.NonEmptyArray(
    Schema.Struct({
      user: Schema.Struct({
        "client-certificate-data": Schema.StringFromBase64,
        "client-key-data": Schema.StringFromBase64
      })
    })
  )
})

const Refusal = Schema.fromJsonString(
  Schema.Struct({ reason: Schema.optionalKey(Schema.String), message: Schema.optionalKey(Schema.String) })
)

const makeAsk = Effect.fnUntraced(function* (url: string) {
  const client = yield* HttpClient.HttpClient
  return Effect.fnUntraced(function* (
    method: HttpMethod.HttpMethod,
    path: string,
    { as, asGroup, body, query = {} }: Question = {}
  ) {
    const headers = {
      ...(as === undefined ? {} : { "Impersonate-User": as }),
      ...(asGroup === undefined ? {} : { "Impersonate-Group": asGroup })
    }
    const bare = HttpClientRequest.make(method)(`${url}${path}`).pipe(
      HttpClientRequest.setUrlParams(query),
      HttpClientRequest.setHeaders(headers)
    )
    const request = body === undefined ? bare : HttpClientRequest.bodyText(bare, JSON.stringify(body.value), body.type)
    const response = yield* Effect.mapError(client.execute(request), fromClient)
    const text = yield* Effect.mapError(response.text, fromClient)
    if (response.status < 300) return text
    const { message = text, reason = "Unknown" } = yield* Schema.decodeEffect(Refusal)(text).pipe(
      Effect.orElseSucceed((): typeof Refusal.Type => ({}))
    )
    return yield* new KubernetesError({ status: response.status, reason, message })
  })
})

/** Where the API server is, and who we are to it. */
export const readKubeconfig = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(yield* Kubeconfig)
  const { clusters, users } = yield* Schema.decodeUnknownEffect(File)(parse(text))
  const { "certificate-authority-data": ca, server: url } = clusters[0].cluster
  const { "client-certificate-data": cert, "client-key-data": key } = users[0].user
  return { url, identity: { ca, cert, key } }
})

/** For requests, and for watches that go on where they were when the server comes back. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { identity, url } = yield* readKubeconfig
    // Its own, whatever other client there is: all that are built together would share what they are made of.
    const client = Layer.fresh(NodeHttpClient.layerNodeHttpOptions({ ...identity, keepAlive: true }))
    const asking = Layer.effect(
      ApiServer,
      Effect.map(makeAsk(url), (ask) => ApiServer.of({ ask }))
    )
    return Layer.merge(asking, layerAt({ url, token: Effect.succeedNone })).pipe(Layer.provide(client))
  })
)

export interface At {
  readonly namespace: string
  readonly name: string
}

const inNamespace = (namespace: string) => (namespace === "" ? {} : { namespace })

export const find = Effect.fnUntraced(function* <A extends Identified>(kind: Kind<A>, { name, namespace }: At) {
  const { ask } = yield* ApiServer
  const text = yield* ask("GET", pathOf(kind, { ...inNamespace(namespace), name })).pipe(
    Effect.map(Option.some),
    Effect.catchIf(
      (error) => error.isMissing,
      () => Effect.succeedNone
    )
  )
  if (Option.isNone(text)) return Option.none<A>()
  return Option.some(yield* Schema.decodeUnknownEffect(Schema.fromJsonString(kind.schema))(text.value))
})

/** All in a namespace, or everywhere if it is empty; `-l` and a label selector choose among them. */
export const list = Effect.fnUntraced(function* <A extends Identified>(
  kind: Kind<A>,
  namespace: string,
  ...[, labelSelector]: readonly [] | readonly [flag: "-l", labelSelector: string]
) {
  const api = yield* KubernetesApi
  const query: Query = labelSelector === undefined ? {} : { labelSelector }
  const { items } = yield* api.list(pathOf(kind, inNamespace(namespace)), query, reading(kind))
  return yield* Effect.forEach(items, (item) => Effect.fromResult(item))
})

/** How the API server writes a kind in paths: in lower case and in the plural. */
const pluralOf = (kind: string): string => {
  const word = kind.toLowerCase()
  if (word.endsWith("y")) return `${word.slice(0, -1)}ies`
  return word.endsWith("s") ? `${word}es` : `${word}s`
}

const pathOfObject = ({ apiVersion, kind, metadata: { namespace } }: KubernetesObject): string =>
  pathOf({ apiVersion, plural: pluralOf(kind), namespaced: namespace !== undefined }, { namespace })

export type Verb = "create" | "apply" | "delete"

interface How {
  readonly dryRun?: boolean
  readonly as?: string
  readonly asGroup?: string
}

/** What `kubectl create`, `kubectl apply --server-side --force-conflicts` and `kubectl delete --wait=false` ask for. */
const askFor = Effect.fnUntraced(function* (verb: Verb, object: object, { dryRun = false, ...by }: How = {}) {
  const { ask } = yield* ApiServer
  const decoded = yield* Schema.decodeUnknownEffect(KubernetesObject)(object)
  const path = pathOfObject(decoded)
  const query = dryRun ? { dryRun: "All" } : {}
  const strict = { ...query, fieldValidation: "Strict", fieldManager: "kubectl" }
  const one = `${path}/${decoded.metadata.name}`
  if (verb === "delete")
    return yield* ask("DELETE", one, { query: { ...query, propagationPolicy: "Background" }, ...by })
  if (verb === "create") {
    return yield* ask("POST", path, { query: strict, ...by, body: { type: "application/json", value: object } })
  }
  const body = { type: "application/apply-patch+yaml", value: object } as const
  return yield* ask("PATCH", one, { query: { ...strict, force: true }, ...by, body })
})

export const apply = (...objects: ReadonlyArray<object>) =>
  Effect.forEach(objects, (object) => askFor("apply", object), { discard: true })

const WithStatus = Schema.fromJsonString(Schema.Struct({ status: Schema.optionalKey(Schema.Unknown) }))

/** The status that an object would have if it were created. */
export const firstStatusOf = (object: object) =>
  Effect.map(
    Effect.flatMap(askFor("create", object, { dryRun: true }), Schema.decodeUnknownEffect(WithStatus)),
    ({ status }) => status
  )

/** What the API server says when it refuses; nothing when it does not. */
export const refusalOf = (object: object, verb: Verb, how?: How) =>
  askFor(verb, object, how).pipe(
    Effect.as(""),
    Effect.catchTag("KubernetesError", (error) =>
      error.status === 0 ? Effect.fail(error) : Effect.succeed(error.message)
    )
  )

/** Without waiting until it is gone; nothing if it is not there. */
export const remove = (kind: Pick<Kind, "apiVersion" | "kind">, { name, namespace }: At) =>
  askFor("delete", {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name, ...inNamespace(namespace) }
  }).pipe(
    Effect.asVoid,
    Effect.catchTag("KubernetesError", (error) => (error.isMissing ? Effect.void : Effect.fail(error)))
  )
