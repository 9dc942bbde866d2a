/** Reads of the cache, or past it. */
import { Effect } from "effect"
import type { Cluster } from "../../lib/cluster.ts"
import type { KubernetesError } from "../../lib/kube/error.ts"

export type Look = Pick<(typeof Cluster)["Service"], "get" | "list">

/** What we can't read, such as what a newer version wrote, is in no cache: that is no reason to remove anything. */
export const orNothing = <A, R>(self: Effect.Effect<ReadonlyArray<A>, KubernetesError, R>) =>
  Effect.catchIf(
    self,
    (error) => error.reason === "Malformed",
    () => Effect.succeed<ReadonlyArray<A>>([])
  )
