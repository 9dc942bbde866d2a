/**
 * Authenticates senders. Without `OIDC_AUDIENCE` anyone who can reach a function
 * may send events, which only make it look at the cluster. With it, a sender
 * needs a token of this cluster for that audience, and a ServiceAccount of our
 * namespace, where Knative gives one to each Trigger (its feature
 * `authentication-oidc`).
 */
import type { V1TokenReview } from "@kubernetes/client-node"
import { Cache, Config, Context, Effect, Exit, Layer, Option, Schema } from "effect"
import { manifest } from "../kubernetes/manifest.ts"
import { KubernetesApi } from "../kubernetes/connection.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { type Answer, noContent, notAllowed, notKnown } from "./response.ts"

/** Judges the header `Authorization`: 204 if the event may be read. */
type Admit = (authorization: string | undefined) => Effect.Effect<Answer, KubernetesError>

const everybody: Admit = () => Effect.succeed(noContent)

export class Senders extends Context.Reference<Admit>("enbi/lib/server/Senders", { defaultValue: () => everybody }) {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const audience = yield* Config.NonEmptyString("OIDC_AUDIENCE").pipe(Config.option)
      return Option.isNone(audience) ? everybody : yield* onlyOurs(audience.value)
    })
  )
}

const onlyOurs = Effect.fnUntraced(function* (audience: string) {
  const { request } = yield* KubernetesApi
  const review = Effect.fnUntraced(function* (token: string) {
    const value = manifest<V1TokenReview>()({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences: [audience] }
    })
    const reviewed = yield* request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      body: { type: "application/json", value }
    })
    return answerTo(
      Option.getOrElse(readReview(reviewed), () => unknown),
      audience
    )
  })
  // A sender keeps its token for most of an hour; one that ends meanwhile is good for a minute more. A no is asked for
  // again, since the API server also says it when it could not find out.
  const reviews = yield* Cache.makeWith(review, {
    capacity: 1000,
    timeToLive: (exit) => (Exit.isSuccess(exit) && exit.value.status === noContent.status ? "1 minute" : 0)
  })
  const admit: Admit = (authorization = "") => {
    const [, token] = /^bearer +(\S+)$/iu.exec(authorization) ?? []
    return token === undefined ? Effect.succeed(notKnown(audience)) : Cache.get(reviews, token)
  }
  return admit
})

const Review = Schema.Struct({
  status: Schema.Struct({
    authenticated: Schema.optionalKey(Schema.Boolean),
    audiences: Schema.optionalKey(Schema.Array(Schema.String)),
    user: Schema.optionalKey(Schema.Struct({ username: Schema.optionalKey(Schema.String) }))
  })
})
const readReview = Schema.decodeUnknownOption(Review)
const unknown: typeof Review.Type = { status: {} }

// An API server that knows no audiences says none, and must not be believed then.
const answerTo = (
  { status: { audiences = [], authenticated, user } }: typeof Review.Type,
  audience: string
): Answer => {
  const name = user?.username ?? ""
  if (authenticated !== true || !audiences.includes(audience)) return notKnown(audience)
  return name.startsWith(`system:serviceaccount:${systemNamespace}:`) ? noContent : notAllowed(name)
}
