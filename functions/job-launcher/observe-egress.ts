/** What there is in a NixBuild's namespace that says what its builds may reach. */
import { Effect, Option } from "effect"
import { namespaces, persistentVolumeClaims } from "../../lib/api/kubernetes.ts"
import { networkPolicies } from "../../lib/api/network-policy.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { buildEgressAnnotation, followsEgressAnnotation } from "../../lib/keys.ts"
import type { KubernetesError } from "../../lib/kube/error.ts"
import type { Egress } from "./egress.ts"

export const observeEgress = Effect.fnUntraced(function* (
  build: NixBuild
): Effect.fn.Return<Egress, KubernetesError, Cluster> {
  const cluster = yield* Cluster
  const { namespace = "" } = build.metadata
  const found = yield* cluster.get(namespaces, { name: namespace })
  const asked = Option.getOrUndefined(found)?.metadata.annotations?.[buildEgressAnnotation]
  const claims = yield* cluster.list(persistentVolumeClaims, { namespace })
  return {
    ...(asked === undefined ? {} : { asked }),
    isOfOldCaches: claims.some(({ metadata }) => metadata.annotations?.[followsEgressAnnotation] === undefined),
    policies: yield* cluster.list(networkPolicies, { namespace })
  }
})
