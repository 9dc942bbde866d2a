/**
 * Why the API server rejects an object, in whatever form it says so: a quota, a
 * policy, a webhook that denies, fails or answers nonsense. A single answer may
 * be temporary, so it counts once the same was given twice, ten seconds apart.
 */
import { Effect } from "effect"
import { type Kind, kindNamed, type Reference } from "../kubernetes/kind.ts"
import { inNamespace } from "../kubernetes/question.ts"
import { Cluster } from "../kubernetes/cluster.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { seenSince, unsee } from "./since.ts"
import { currentTime, secondsBetween } from "../kubernetes/time.ts"

const lastingSeconds = 10

// A server that failed may be recovering.
const lastingFailureSeconds = 25

// Whatever the message says: it may contain something unique to each answer.
const anyLastingSeconds = 60

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu

// Kubernetes' words when permissions are missing, which is also what a server says that has not read them yet.
const ofAuthorizer = /User .* cannot \w+ resource/u

interface RefusedRequest {
  /** Who asked for what. */
  readonly what: string
  /** On whose behalf. */
  readonly about: Reference
  readonly error: Pick<KubernetesError, "message" | "status">
  /** A kind that may be listed, where that is about no object. */
  readonly readable?: Kind | undefined
}

/**
 * Whether it has been answered so for ten seconds. Fails where the API server
 * says the same to everything, as one does that is starting.
 */
export const isLastingRefusal = Effect.fnUntraced(function* (asked: RefusedRequest) {
  const { about, error, what } = asked
  if (error.status === 403 && ofAuthorizer.test(error.message)) yield* mustBeAllowed(asked)
  // Quotas count and webhooks number their answers, so numbers make no other answer.
  const words = error.message.replaceAll(uuid, "#").replaceAll(/[0-9a-f]{8,}|\d+/gu, "#")
  const sinceTime = yield* seenSince({ what: keyOf({ about, what }), words })
  const firstTime = yield* seenSince({ what: `any ${keyOf({ about, what })}`, words: "" })
  const time = yield* currentTime
  const isAlike = secondsBetween(sinceTime, time) >= (error.status >= 500 ? lastingFailureSeconds : lastingSeconds)
  return isAlike || secondsBetween(firstTime, time) >= anyLastingSeconds
})

/** It was done after all. */
export const forgetRefusal = (asked: Omit<RefusedRequest, "error">) =>
  Effect.andThen(unsee(keyOf(asked)), unsee(`any ${keyOf(asked)}`))

const keyOf = ({ about: { kind, name, namespace = "" }, what }: Omit<RefusedRequest, "error">): string =>
  `${what} ${kind}/${namespace}/${name}`

// A missing object or an empty list is an answer like any other.
const mustBeAllowed = Effect.fnUntraced(function* ({ about: { kind, name, namespace }, readable }: RefusedRequest) {
  const cluster = yield* Cluster
  const known = kindNamed(kind)
  if (known !== undefined) yield* cluster.getFresh(known, { name, namespace })
  else if (readable !== undefined) yield* cluster.listFresh(inNamespace(readable)(systemNamespace))
})
