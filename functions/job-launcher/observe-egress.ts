/** What there is in a namespace that says what its builds may reach. */
import { Effect } from "effect"
import type { Namespace, PersistentVolumeClaim } from "../../lib/api/kubernetes.ts"
import { networkPoliciesIn } from "../../lib/api/kubernetes-questions.ts"
import { Cluster } from "../../lib/cluster.ts"
import { buildEgressAnnotation, followsEgressAnnotation } from "../../lib/keys.ts"
import type { KubernetesError } from "../../lib/kube/error.ts"
import type { Egress } from "./egress.ts"

export const observeEgress = Effect.fnUntraced(function* (
  { metadata }: Namespace,
  claims: ReadonlyArray<PersistentVolumeClaim>
): Effect.fn.Return<Egress, KubernetesError, Cluster> {
  const cluster = yield* Cluster
  const asked = metadata.annotations?.[buildEgressAnnotation]
  return {
    ...(asked === undefined ? {} : { asked }),
    isOfOldCaches: claims.some(({ metadata }) => metadata.annotations?.[followsEgressAnnotation] === undefined),
    policies: yield* cluster.list(networkPoliciesIn(metadata.name))
  }
})
