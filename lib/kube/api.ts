/**
 * The way to the API server: requests, and a watch that resumes, lists again
 * after 410, and notices a silent peer.
 *
 * Why not @kubernetes/client-node: version 2.0.1 opens a new connection for
 * every request, gives up a watch after 30 s of silence, and its informer asks
 * for no bookmarks.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import {
  Config,
  Context,
  Duration,
  Effect,
  FileSystem,
  Layer,
  Option,
  Random,
  Ref,
  Schedule,
  Schema,
  Stream
} from "effect"
import { Ndjson } from "effect/encoding"
import {
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse,
  type HttpMethod
} from "effect/http"
import { KubernetesError } from "./error.ts"

export type Query = Readonly<Record<string, string | number | boolean>>
export interface Body {
  readonly type: "application/json" | "application/merge-patch+json"
  readonly value: unknown
}

/** What a watch tells: first everything that is there, then each change. */
export type Change =
  | { readonly _tag: "Listed"; readonly items: ReadonlyArray<unknown>; readonly resourceVersion: string }
  | { readonly _tag: "ADDED" | "MODIFIED" | "DELETED"; readonly object: unknown }

export class KubernetesApi extends Context.Service<
  KubernetesApi,
  {
    readonly request: (
      method: HttpMethod.HttpMethod,
      path: string,
      options?: { readonly query?: Query; readonly body?: Body }
    ) => Effect.Effect<unknown, KubernetesError>
    readonly list: (
      path: string,
      query?: Query
    ) => Effect.Effect<{ readonly items: ReadonlyArray<unknown>; readonly resourceVersion: string }, KubernetesError>
    /** Fails only with what is not worth another try: 401, 403, 404. */
    readonly follow: (path: string, query?: Query) => Stream.Stream<Change, KubernetesError>
  }
>()("enbi/lib/kube/KubernetesApi") {
  /** At `KUBERNETES_URL` (such as `kubectl proxy` gives) when that is set, else as a Pod's ServiceAccount. */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const url = yield* Config.String("KUBERNETES_URL").pipe(Config.option)
      return Option.match(url, {
        onSome: (url) => layerAt({ url, token: Effect.succeedNone }).pipe(Layer.provide(NodeHttpClient.layerNodeHttp)),
        onNone: () => layerInCluster
      })
    })
  )
}

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
        Effect.map((token) => Option.some(token.trim())),
        Effect.mapError((cause) => new KubernetesError({ status: 0, reason: "Token", message: cause.message, cause }))
      ),
      "1 minute"
    )
    const bracketed = host.includes(":") ? `[${host}]` : host
    return layerAt({ url: `https://${bracketed}:${port}`, token }).pipe(
      Layer.provide(NodeHttpClient.layerNodeHttpOptions({ ca, keepAlive: true, maxSockets: 64 }))
    )
  })
)

const StatusBody = Schema.Struct({
  reason: Schema.optionalKey(Schema.String),
  message: Schema.optionalKey(Schema.String)
})
const Page = Schema.Struct({
  items: Schema.NullOr(Schema.Array(Schema.Unknown)),
  metadata: Schema.Struct({ resourceVersion: Schema.String, continue: Schema.optionalKey(Schema.String) })
})
const WatchEvent = Schema.Struct({
  type: Schema.Literals(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: Schema.StructWithRest(
    Schema.Struct({
      code: Schema.optionalKey(Schema.Int),
      reason: Schema.optionalKey(Schema.Unknown),
      message: Schema.optionalKey(Schema.Unknown),
      metadata: Schema.optionalKey(
        Schema.StructWithRest(Schema.Struct({ resourceVersion: Schema.optionalKey(Schema.String) }), [
          Schema.Record(Schema.String, Schema.Unknown)
        ])
      )
    }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
})

const malformed = (what: string) => (cause: Schema.SchemaError) =>
  new KubernetesError({ status: 0, reason: "Malformed", message: `${what}: ${cause.message}`, cause })
const decodePage = (body: unknown) =>
  Schema.decodeUnknownEffect(Page)(body).pipe(Effect.mapError(malformed("a list that cannot be read")))

const backoff = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.jittered,
  Schedule.setInputType<KubernetesError>(),
  Schedule.while(({ input }) => input.isRetryable),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(Duration.max(duration, Duration.seconds(input.retryAfterSeconds ?? 0)))
  )
)

const fromClient = (error: HttpClientError.HttpClientError) =>
  new KubernetesError({ status: 0, reason: error.reason._tag, message: error.message, cause: error })

const fromResponse = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const body = yield* response.json.pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(StatusBody)),
    Effect.orElseSucceed((): typeof StatusBody.Type => ({}))
  )
  const retryAfterSeconds = Number(response.headers["retry-after"])
  return new KubernetesError({
    status: response.status,
    reason: body.reason ?? "Unknown",
    message: body.message ?? `HTTP ${response.status}`,
    ...(Number.isFinite(retryAfterSeconds) ? { retryAfterSeconds } : {})
  })
})

// A request that hangs would hold its object's queue, or a kind's whole watch, for ever.
const timeout = Effect.timeoutOrElse({
  duration: "20 seconds",
  orElse: () => Effect.fail(new KubernetesError({ status: 0, reason: "Timeout", message: "no answer in 20 s" }))
})

interface Connection {
  readonly url: string
  readonly token: Effect.Effect<Option.Option<string>, KubernetesError>
}

export const layerAt = (connection: Connection) =>
  Layer.effect(
    KubernetesApi,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient

      const send = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
        const token = yield* connection.token
        const authorized = request.pipe(
          HttpClientRequest.prependUrl(connection.url),
          HttpClientRequest.acceptJson,
          (request) => (Option.isSome(token) ? HttpClientRequest.bearerToken(request, token.value) : request)
        )
        const response = yield* client.execute(authorized).pipe(Effect.mapError(fromClient))
        if (response.status >= 300) return yield* yield* fromResponse(response)
        return response
      })

      const request = Effect.fn("KubernetesApi.request")(function* (
        method: HttpMethod.HttpMethod,
        path: string,
        options: { readonly query?: Query; readonly body?: Body } = {}
      ) {
        const bare = HttpClientRequest.make(method)(path).pipe(HttpClientRequest.setUrlParams(options.query ?? {}))
        const { body } = options
        const response = yield* send(
          body === undefined ? bare : HttpClientRequest.bodyText(bare, JSON.stringify(body.value), body.type)
        )
        return yield* response.json.pipe(Effect.mapError(fromClient))
      }, timeout)

      const list = Effect.fn("KubernetesApi.list")(function* (path: string, query: Query = {}) {
        const items: Array<unknown> = []
        let page = yield* request("GET", path, { query: { ...query, limit: 500 } }).pipe(Effect.flatMap(decodePage))
        items.push(...(page.items ?? []))
        while (page.metadata.continue) {
          page = yield* request("GET", path, {
            query: { ...query, limit: 500, continue: page.metadata.continue }
          }).pipe(Effect.flatMap(decodePage))
          items.push(...(page.items ?? []))
        }
        return { items, resourceVersion: page.metadata.resourceVersion }
      })

      const changesSince = Effect.fnUntraced(function* (
        at: { readonly path: string; readonly query: Query },
        seen: Ref.Ref<Option.Option<string>>,
        resourceVersion: string
      ) {
        const timeoutSeconds = yield* Random.nextIntBetween(240, 480)
        const response = yield* send(
          HttpClientRequest.get(at.path).pipe(
            HttpClientRequest.setUrlParams({
              ...at.query,
              watch: true,
              allowWatchBookmarks: true,
              resourceVersion,
              timeoutSeconds
            })
          )
        ).pipe(timeout)
        return response.stream.pipe(
          Stream.mapError(fromClient),
          // Bookmarks come each minute, so this long a silence is a dead peer.
          Stream.timeoutOrElse({
            duration: "150 seconds",
            orElse: () => Stream.fail(new KubernetesError({ status: 0, reason: "Idle", message: "watch went silent" }))
          }),
          Stream.decodeText,
          Stream.pipeThroughChannel(Ndjson.decodeString({ ignoreEmptyLines: true })),
          Stream.mapError((error) =>
            error instanceof KubernetesError
              ? error
              : new KubernetesError({
                  status: 0,
                  reason: "Malformed",
                  message: "watch broke off inside a line",
                  cause: error
                })
          ),
          Stream.mapEffect((line) => readWatchEvent(line, seen)),
          Stream.flattenIterable
        )
      }, Stream.unwrap)

      const follow = (path: string, query: Query = {}): Stream.Stream<Change, KubernetesError> =>
        Stream.unwrap(
          Effect.gen(function* () {
            const at = { path, query }
            const seen = yield* Ref.make(Option.none<string>())
            const fromScratch = Stream.unwrap(
              Effect.gen(function* () {
                const { items, resourceVersion } = yield* list(path, query)
                yield* Ref.set(seen, Option.some(resourceVersion))
                const listed: Change = { _tag: "Listed", items, resourceVersion }
                return Stream.concat(Stream.succeed(listed), changesSince(at, seen, resourceVersion))
              })
            )
            const resume = Effect.map(
              Ref.get(seen),
              Option.match({
                onNone: () => fromScratch,
                onSome: (resourceVersion) => changesSince(at, seen, resourceVersion)
              })
            )
            return Stream.unwrap(resume).pipe(
              // 410: what was missed is no longer kept there, so everything is listed again.
              Stream.catchIf(
                (error) => error.status === 410,
                () => Stream.fromEffectDrain(Ref.set(seen, Option.none()))
              ),
              Stream.repeat(Schedule.spaced("250 millis")),
              Stream.retry(backoff)
            )
          })
        )

      return KubernetesApi.of({ request, list, follow })
    })
  )

const readWatchEvent = Effect.fnUntraced(function* (line: unknown, seen: Ref.Ref<Option.Option<string>>) {
  const { object, type } = yield* Schema.decodeUnknownEffect(WatchEvent)(line).pipe(
    Effect.mapError(malformed("a watch event that cannot be read"))
  )
  if (type === "ERROR") {
    return yield* new KubernetesError({
      status: object.code ?? 500,
      reason: String(object.reason ?? "Unknown"),
      message: String(object.message ?? "")
    })
  }
  yield* Ref.set(seen, Option.fromNullishOr(object.metadata?.resourceVersion))
  const changes: ReadonlyArray<Change> = type === "BOOKMARK" ? [] : [{ _tag: type, object }]
  return changes
})
