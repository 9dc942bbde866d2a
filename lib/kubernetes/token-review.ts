/** Whose a token is: a client of ours shows one, and the API server says which account it is of. */
import type { V1TokenReview } from "@kubernetes/client-node"
import { Clock, Effect, Option, Schema } from "effect"
import { sha256 } from "../hash.ts"
import type { KubernetesApi } from "./connection.ts"
import type { KubernetesError } from "./error.ts"
import { pathOf } from "./kind.ts"
import { tokenReviews } from "./kinds.ts"
import { manifest } from "./manifest.ts"

/** The name of a token's account; none if it is of nobody, or not for our audience. */
export type Reviewer = (token: string) => Effect.Effect<Option.Option<string>, KubernetesError>

// A client keeps its token for most of an hour; one that ends meanwhile is good for a minute more.
const maxAgeMillis = 60_000

const maxKnown = 1000

/** Keeps a yes for a minute. A no is asked for again, since the API server also says it when it could not find out. */
export const makeReviewer = (api: Pick<(typeof KubernetesApi)["Service"], "request">, audience: string): Reviewer => {
  // By hash, so that no token stays in memory.
  const known = new Map<string, { readonly name: string; readonly until: number }>()

  return Effect.fnUntraced(function* (token: string) {
    const key = sha256(token)
    const now = yield* Clock.currentTimeMillis
    const before = known.get(key)
    if (before !== undefined && now < before.until) return Option.some(before.name)
    known.delete(key)
    const value = manifest<V1TokenReview>()({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences: [audience] }
    })
    const answer = yield* api.request("POST", pathOf(tokenReviews), { body: { type: "application/json", value } })
    const name = Option.filter(nameIn(answer, audience), (found) => found !== "")
    if (Option.isSome(name)) {
      known.set(key, { name: name.value, until: now + maxAgeMillis })
      const [oldest] = known.keys()
      if (oldest !== undefined && known.size > maxKnown) known.delete(oldest)
    }
    return name
  })
}

const Review = Schema.Struct({
  status: Schema.Struct({
    authenticated: Schema.Literal(true),
    audiences: Schema.Array(Schema.String),
    user: Schema.Struct({ username: Schema.String })
  })
})
const read = Schema.decodeUnknownOption(Review)

// An API server that knows no audiences says none, and must not be believed then.
const nameIn = (answer: unknown, audience: string) =>
  read(answer).pipe(
    Option.filter(({ status }) => status.audiences.includes(audience)),
    Option.map(({ status }) => status.user.username)
  )

/** The token of a header `Authorization`. */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  /^bearer +(\S+)$/iu.exec(authorization ?? "")?.[1]
