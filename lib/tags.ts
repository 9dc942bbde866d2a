/**
 * Who may use an image tag. A tag is a name on a node that everybody there
 * sees, so a namespace holds it by a Lease whose name is computed from the tag:
 * creating it is the claim, and only one can. It outlives the NixBuild while
 * the image may still be on a node. Within a namespace the oldest NixBuild that
 * did not fail has the tag.
 */
import { Option } from "effect"
import { type Action, referTo } from "./action.ts"
import { leases, managedBy, type Lease } from "./api/kubernetes.ts"
import type { NixBuild } from "./api/nixbuild.ts"
import { heldByLabel, heldTagAnnotation, unusedSinceAnnotation } from "./keys.ts"
import { systemNamespace, tagLeaseName } from "./names.ts"
import { normalizeReference } from "./oci/reference.ts"

/** The tag in full: `x/y:1` is `docker.io/x/y:1`. */
export const fullTag = (imageTag: string): string => Option.getOrElse(normalizeReference(imageTag), () => imageTag)

/** The tag that a Lease holds, and the namespace for which it does. */
export const heldTagOf = ({ metadata }: Lease): string => metadata.annotations?.[heldTagAnnotation] ?? ""
export const holderOf = ({ metadata }: Lease): string => metadata.labels?.[heldByLabel] ?? ""

/** Says since when nobody uses the tag, or with null that somebody does. */
export const markUnused = (
  lease: Lease,
  { since, why }: { readonly since: string | null; readonly why: string }
): Action => ({
  action: "Patch",
  why,
  target: referTo("Lease", lease),
  patch: { metadata: { annotations: { [unusedSinceAnnotation]: since } } }
})

export const claimTag = ({ metadata, spec }: Pick<NixBuild, "metadata" | "spec">): Action => {
  const tag = fullTag(spec.imageTag)
  return {
    action: "Create",
    why: `${tag} is nobody's yet`,
    object: {
      apiVersion: leases.apiVersion,
      kind: "Lease",
      metadata: {
        name: tagLeaseName(tag),
        namespace: systemNamespace,
        labels: { ...managedBy, [heldByLabel]: metadata.namespace ?? "" },
        annotations: { [heldTagAnnotation]: tag }
      },
      spec: { holderIdentity: `${metadata.namespace}/${metadata.uid}` }
    }
  }
}
