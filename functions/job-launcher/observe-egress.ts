/** What there is in a namespace that says what its builds may reach. */
import { Effect } from "effect"
import type { Namespace, PersistentVolumeClaim } from "../../lib/kubernetes/kinds.ts"
import { networkPoliciesIn } from "../../lib/nixbuild/object-questions.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { buildEgressAnnotation, followsEgressAnnotation } from "../../lib/api/annotations.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import type { Egress } from "./egress.ts"

export const observeEgress = Effect.fnUntraced(function* (
  { metadata }: Namespace,
  claims: ReadonlyArray<PersistentVolumeClaim>
): Effect.fn.Return<Egress, KubernetesError, Cluster> {
  const cluster = yield* Cluster
  const asked = metadata.annotations?.[buildEgressAnnotation]
  return {
    ...(asked === undefined ? {} : { asked }),
    isOfOldCaches: claims.some(({ metadata: claim }) => claim.annotations?.[followsEgressAnnotation] === undefined),
    policies: yield* cluster.list(networkPoliciesIn(metadata.name))
  }
})
