/**
 * Port 5081: passes pushes on to CNCF Distribution, of those alone who have a
 * token of the publish Jobs' ServiceAccount for this registry.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, Option, Stream } from "effect"
import {
  HttpClient,
  HttpClientRequest,
  type HttpMethod,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { bearerOf, makeReviewer, type Reviewer } from "../../lib/kubernetes/token-review.ts"
import { publishAccount, registryAudience } from "../../lib/nixbuild/job-contract.ts"
import { denied, unauthorized, unavailable } from "../../lib/oci/distribution.ts"
import { refusal } from "../../lib/oci/distribution-routes.ts"
import { checkPublish, locationFor, passedOn } from "./publish-request.ts"
import { settings } from "./settings.ts"

/** Whose tokens are taken. */
const publisher = `system:serviceaccount:${systemNamespace}:${publishAccount}`

interface Options {
  readonly review: Reviewer
  /** Its URL, without a slash at the end. */
  readonly distribution: string
  readonly client: HttpClient.HttpClient
}

/** Over a server that listens. */
export const publish = Layer.unwrap(
  Effect.gen(function* () {
    const { distribution } = yield* settings
    const options = {
      review: makeReviewer(yield* KubernetesApi, registryAudience),
      distribution: distribution.href.replace(/\/$/u, ""),
      client: yield* HttpClient.HttpClient
    }
    return HttpServer.serve(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => answerTo(options, request))
    )
  })
).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))

const answerTo = (options: Options, request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    yield* admit(options, request)
    return yield* passOn(options, { request, method: yield* Effect.fromResult(checkPublish(request)) })
  }).pipe(Effect.catchTag("DistributionError", (error) => Effect.succeed(refusal(error))))

const admit = Effect.fnUntraced(function* ({ review }: Options, { headers }: HttpServerRequest.HttpServerRequest) {
  const token = bearerOf(headers["authorization"])
  const name =
    token === undefined
      ? Option.none()
      : yield* Effect.mapError(review(token), ({ message }) =>
          unavailable(`The API server was asked in vain: ${message}`)
        )
  if (Option.isNone(name)) {
    return yield* unauthorized(
      `Only publish Jobs push, with a token of this cluster for the audience ${registryAudience}.`
    )
  }
  if (name.value !== publisher) return yield* denied(`${name.value} may not push, only ${publisher} may.`)
})

interface Allowed {
  readonly method: HttpMethod.HttpMethod
  readonly request: HttpServerRequest.HttpServerRequest
}

const passOn = Effect.fnUntraced(function* ({ client, distribution }: Options, { method, request }: Allowed) {
  const { headers } = request
  const bare = HttpClientRequest.make(method)(`${distribution}${request.url}`).pipe(
    HttpClientRequest.setHeaders(passedOn(headers))
  )
  const response = yield* Effect.mapError(
    client.execute(hasBody(headers) ? withBody(bare, request) : bare),
    ({ message }) => unavailable(`Distribution does not answer: ${message}`)
  )
  // A connection is free for the next request once its answer has been read, also one without a body.
  if (method === "HEAD") yield* Effect.ignore(response.text)
  const { "content-length": length, "content-type": contentType, location } = response.headers
  return HttpServerResponse.stream(method === "HEAD" ? Stream.empty : response.stream, {
    status: response.status,
    contentType,
    contentLength: length === undefined ? undefined : Number(length),
    headers: {
      ...passedOn(response.headers),
      ...(location === undefined ? {} : { location: locationFor(location, distribution) })
    }
  })
})

const hasBody = (headers: HttpServerRequest.HttpServerRequest["headers"]): boolean =>
  Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined

const withBody = (
  bare: HttpClientRequest.HttpClientRequest,
  { headers, stream }: HttpServerRequest.HttpServerRequest
) => {
  const { "content-length": length, "content-type": contentType } = headers
  return HttpClientRequest.bodyStream(bare, stream, {
    contentType,
    contentLength: length === undefined ? undefined : Number(length)
  })
}
