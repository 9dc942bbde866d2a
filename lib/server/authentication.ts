/**
 * Authenticates senders. Without `OIDC_AUDIENCE` anyone who can reach a function
 * may send events, which only make it look at the cluster. With it, a sender
 * needs a token of this cluster for that audience, and a ServiceAccount of our
 * namespace, where Knative gives one to each Trigger (its feature
 * `authentication-oidc`).
 */
import { Config, Context, Effect, Layer, Option } from "effect"
import { KubernetesApi } from "../kubernetes/connection.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { bearerOf, makeReviewer } from "../kubernetes/token-review.ts"
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
  const review = makeReviewer(yield* KubernetesApi, audience)
  const admit: Admit = Effect.fnUntraced(function* (authorization) {
    const token = bearerOf(authorization)
    const name = token === undefined ? Option.none() : yield* review(token)
    if (Option.isNone(name)) return notKnown(audience)
    return name.value.startsWith(`system:serviceaccount:${systemNamespace}:`) ? noContent : notAllowed(name.value)
  })
  return admit
})
