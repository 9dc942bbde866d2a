/**
 * Single requests to the API server and lists in pages, each with a bound on
 * how long it may take. What the server refuses becomes a `KubernetesError`.
 */
import { Effect, Exit, Option, Schema } from "effect"
import {
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse,
  type HttpMethod
} from "effect/http"
import { countRequest } from "./metrics.ts"
import { KubernetesError } from "./error.ts"

/** The part of a URL behind its question mark. */
export type Query = Readonly<Record<string, string | number | boolean>>
/** What is sent, and as what. */
export interface Body {
  readonly type: "application/json" | "application/merge-patch+json"
  readonly value: unknown
}

/** Where the API server is, and who we are to it. */
export interface Connection {
  readonly url: string
  readonly token: Effect.Effect<Option.Option<string>, KubernetesError>
}

/** As the API server's own metrics have them: lists and watches are GETs that cost more. */
type Verb = HttpMethod.HttpMethod | "LIST" | "WATCH"

/** What can be asked of the API server. */
export interface Requests {
  /** As `open`, but however long it takes: the head of a log comes with its first line. */
  readonly send: Requests["open"]
  /** The answer as soon as its head is there; what of its body is needed can be read as it comes. */
  readonly open: (
    verb: Verb,
    request: HttpClientRequest.HttpClientRequest
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, KubernetesError>
  readonly request: (
    method: HttpMethod.HttpMethod,
    path: string,
    options?: { readonly query?: Query; readonly body?: Body }
  ) => Effect.Effect<unknown, KubernetesError>
  /** What `read` makes of each object. */
  readonly list: <A>(
    path: string,
    query: Query,
    read: Read<A>
  ) => Effect.Effect<{ readonly items: ReadonlyArray<A>; readonly resourceVersion: string }, KubernetesError>
}

/** Takes of an object, as it came, what is of interest; it is called at once, so that nothing else is kept of it. */
export type Read<A> = (object: unknown) => A

// A Pod of 10 KB takes 0.2 ms to parse and decode, and nothing else runs while a page is parsed.
const pageSize = 100

const StatusBody = Schema.Struct({
  reason: Schema.optionalKey(Schema.String),
  message: Schema.optionalKey(Schema.String)
})
const Page = Schema.Struct({
  items: Schema.NullOr(Schema.Array(Schema.Unknown)),
  metadata: Schema.Struct({ resourceVersion: Schema.String, continue: Schema.optionalKey(Schema.String) })
})
/** The answer is not what an API server answers. */
export const malformed = (what: string) => (cause: Schema.SchemaError) =>
  new KubernetesError({ status: 0, reason: "Malformed", message: `${what}: ${cause.message}`, cause })
const decodePage = (body: unknown) =>
  Schema.decodeUnknownEffect(Page)(body).pipe(Effect.mapError(malformed("a list that cannot be read")))

/** No answer came, or not all of it. */
export const fromClient = (error: HttpClientError.HttpClientError) =>
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

/** `Requests` over a connection. */
export const makeRequests = Effect.fnUntraced(function* (
  connection: Connection
): Effect.fn.Return<Requests, never, HttpClient.HttpClient> {
  const client = yield* HttpClient.HttpClient

  const send = Effect.fnUntraced(function* (verb: Verb, request: HttpClientRequest.HttpClientRequest) {
    const token = yield* connection.token
    const authorized = request.pipe(
      HttpClientRequest.prependUrl(connection.url),
      HttpClientRequest.acceptJson,
      (accepting) => (Option.isSome(token) ? HttpClientRequest.bearerToken(accepting, token.value) : accepting)
    )
    const response = yield* client.execute(authorized).pipe(
      Effect.mapError(fromClient),
      Effect.onExit((exit) => countRequest(verb, Exit.isSuccess(exit) ? exit.value.status : 0))
    )
    if (response.status >= 300) return yield* yield* fromResponse(response)
    return response
  })

  const request = Effect.fn("KubernetesApi.request")(function* (
    method: HttpMethod.HttpMethod,
    path: string,
    options: { readonly query?: Query; readonly body?: Body; readonly verb?: Verb } = {}
  ) {
    const bare = HttpClientRequest.make(method)(path).pipe(HttpClientRequest.setUrlParams(options.query ?? {}))
    const { body, verb = method } = options
    const response = yield* send(
      verb,
      body === undefined ? bare : HttpClientRequest.bodyText(bare, JSON.stringify(body.value), body.type)
    )
    return yield* response.json.pipe(Effect.mapError(fromClient))
  }, timeout)

  const list = Effect.fn("KubernetesApi.list")(function* <A>(path: string, query: Query, read: Read<A>) {
    const items: Array<A> = []
    const readPage = (more: Query) =>
      request("GET", path, { verb: "LIST", query: { ...query, limit: pageSize, ...more } }).pipe(
        Effect.flatMap(decodePage),
        Effect.map((page) => {
          for (const item of page.items ?? []) items.push(read(item))
          return page.metadata
        })
      )
    let metadata = yield* readPage({})
    while (metadata.continue) metadata = yield* readPage({ continue: metadata.continue })
    return { items, resourceVersion: metadata.resourceVersion }
  })

  return { send, open: (verb, opening) => timeout(send(verb, opening)), request, list }
})
