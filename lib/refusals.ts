/**
 * What the API server has against an object, in whatever form it says so: a
 * quota, a policy, a webhook that denies, fails or answers nonsense. One answer
 * may pass by itself, so it counts once it was given alike twice, ten seconds
 * apart.
 */
import { Effect } from "effect"
import { isKindName, kinds } from "./api/kinds.ts"
import type { Reference } from "./api/kind.ts"
import { Cluster } from "./cluster.ts"
import type { KubernetesError } from "./kube/error.ts"
import { systemNamespace } from "./names.ts"
import { seenSince, Sights } from "./since.ts"
import { currentTime, secondsBetween } from "./time.ts"

const lastingSeconds = 10

// Kubernetes' words when permissions are missing, which is also what a server says that has not read them yet.
const ofAuthorizer = /User .* cannot \w+ resource/u

interface Asked {
  /** Who asked for what. */
  readonly what: string
  /** On whose behalf. */
  readonly about: Reference
  readonly error: Pick<KubernetesError, "message" | "status">
}

/**
 * Whether it has been answered so for ten seconds. Fails where the API server
 * says the same to everything, as one does that is starting.
 */
export const isLastingRefusal = Effect.fnUntraced(function* ({ about, error, what }: Asked) {
  if (error.status === 403 && ofAuthorizer.test(error.message)) yield* mustBeAllowed(about)
  const { kind, name, namespace = "" } = about
  // Quotas count and webhooks number their answers, so numbers make no other answer.
  const words = error.message.replaceAll(/[0-9a-f]{8,}|\d+/gu, "#")
  const sinceTime = yield* seenSince({ what: `${what} ${kind}/${namespace}/${name}`, words })
  return secondsBetween(sinceTime, yield* currentTime) >= lastingSeconds
})

/** All that a function asked for about this was done, so what was refused before did not last. */
export const forgetRefusals = Effect.fnUntraced(function* ({
  about,
  by
}: {
  readonly about: Reference
  readonly by: string
}) {
  const { kind, name, namespace = "" } = about
  const sights = yield* Sights
  for (const what of sights.keys()) {
    if (what.startsWith(`${by} `) && what.endsWith(` ${kind}/${namespace}/${name}`)) sights.delete(what)
  }
})

const mustBeAllowed = Effect.fnUntraced(function* ({ kind, name, namespace }: Reference) {
  const cluster = yield* Cluster
  yield* isKindName(kind)
    ? cluster.getFresh(kinds[kind], { name, namespace })
    : cluster.getFresh(kinds.Namespace, { name: systemNamespace })
})
