/**
 * Who may use an image tag. A tag is a name on a node that everybody there
 * sees, so a namespace claims it by a Lease whose name is computed from the
 * tag: creating it is the claim, and only one can. It outlives the NixBuild
 * while the image may still be on a node. Within a namespace the oldest
 * NixBuild that did not fail has the tag.
 *
 * Another namespace may use the tag too when its own build gives the one image
 * that is known under it. From then on neither can put another image there:
 *
 *     holder alone ──▶ another builds the same ──▶ it says so ──▶ what the holder ──▶ it is let in,
 *     brings what       and wants to bring it       (joining)      began before       all are held to
 *     it builds                                                    has ended          the digest
 *
 * Every change of the Lease names the version that it was decided on, so if two
 * change it at the same moment, one of them decides again.
 */
import type { V1Lease } from "@kubernetes/client-node"
import { Option } from "effect"
import { type Action, referTo } from "../runtime/action.ts"
import { namespaceOf } from "../kubernetes/kind.ts"
import { type Lease, leases, managedBy } from "../kubernetes/kinds.ts"
import { manifest } from "../kubernetes/manifest.ts"
import { type NixBuild, packageOf } from "../api/nixbuild.ts"
import {
  digestsAnnotation,
  heldByLabel,
  heldTagAnnotation,
  joiningAnnotation,
  sharingAnnotation,
  sourceAnnotation,
  unusedByAnnotation,
  unusedSinceAnnotation
} from "../api/annotations.ts"
import { tagLeaseName } from "../api/names.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { normalizeReference } from "../oci/reference.ts"
import { once } from "../once.ts"

/** The tag in full: `x/y:1` is `docker.io/x/y:1`. */
export const fullTag = (imageTag: string): string => Option.getOrElse(normalizeReference(imageTag), () => imageTag)

const tagIn = once(({ imageTag }: NixBuild["spec"]) => fullTag(imageTag))

/** The tag of a NixBuild in full. In the registry each namespace has its own, so nobody can have another's. */
export const tagOf = ({ metadata, spec }: Pick<NixBuild, "metadata" | "spec">): string =>
  spec.delivery === "Registry" ? `registry/${metadata.namespace}/${spec.imageTag}` : tagIn(spec)

const wordsIn = (lease: Lease, annotation: string): ReadonlyArray<string> =>
  (lease.metadata.annotations?.[annotation] ?? "").split(" ").filter((word) => word !== "")

/** The tag that a Lease holds, and the namespace that has it. */
export const heldTagOf = ({ metadata }: Lease): string => metadata.annotations?.[heldTagAnnotation] ?? ""
export const holderOf = ({ metadata }: Lease): string => metadata.labels?.[heldByLabel] ?? ""

/** All namespaces that use the tag, the holder first. */
export const usersOf = (lease: Lease): ReadonlyArray<string> => [holderOf(lease), ...wordsIn(lease, sharingAnnotation)]

/** The namespaces that are about to use it. */
export const joiningOf = (lease: Lease): ReadonlyArray<string> => wordsIn(lease, joiningAnnotation)

/** The images that came onto nodes under the tag; two say that there may be more. */
export const digestsOf = (lease: Lease, system: string): ReadonlyArray<string> =>
  wordsIn(lease, digestsAnnotation(system))

export const sourceOf = (lease: Lease, system: string): string | undefined =>
  lease.metadata.annotations?.[sourceAnnotation(system)]

/** What a NixBuild's image is made of, as people write it. */
export const sourceIn = ({ spec }: Pick<NixBuild, "spec">): string => `${spec.flakeUrl}#${packageOf({ spec })}`

/** `the namespace a` or `the namespaces a and b`. */
export const namespacesIn = (names: ReadonlyArray<string>): string =>
  names.length === 1
    ? `the namespace ${names[0]}`
    : `the namespaces ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

/** How a person frees a tag that is not used any more. */
export const freeing = (tag: string): string => `kubectl delete lease -n ${systemNamespace} ${tagLeaseName(tag)}`

interface Change {
  readonly why: string
  readonly holder?: string
  readonly sharing?: ReadonlyArray<string>
  readonly joining?: ReadonlyArray<string>
  /** Other annotations; null takes one away. */
  readonly annotations?: Readonly<Record<string, string | null>>
}

const written = (annotation: string, words: ReadonlyArray<string> | undefined) =>
  words === undefined ? {} : { [annotation]: words.length === 0 ? null : words.join(" ") }

export const changeClaim = (lease: Lease, { annotations, holder, joining, sharing, why }: Change): Action => ({
  action: "Patch",
  why,
  target: referTo(leases, lease),
  patch: {
    metadata: {
      ...(holder === undefined ? {} : { labels: { [heldByLabel]: holder } }),
      annotations: {
        ...written(sharingAnnotation, sharing),
        ...written(joiningAnnotation, joining),
        ...annotations
      }
    }
  }
})

/** The namespaces of which a Lease says that they do not use the tag. */
export const unusedByOf = (lease: Lease): ReadonlyArray<string> => {
  if (lease.metadata.annotations?.[unusedSinceAnnotation] === undefined) return []
  const names = wordsIn(lease, unusedByAnnotation)
  return names.length === 0 ? [holderOf(lease)] : names
}

interface Mark {
  readonly why: string
  /** Absent: they use it again. */
  readonly unused?: { readonly since: string; readonly by: ReadonlyArray<string> }
}

/** Says which namespaces do not use the tag, and since when. */
export const markUnused = (lease: Lease, { unused, why }: Mark): Action =>
  changeClaim(lease, {
    why,
    annotations: {
      [unusedSinceAnnotation]: unused?.since ?? null,
      ...written(unusedByAnnotation, unused?.by ?? [])
    }
  })

/** The namespace is about to import the image that it built: imports that start from now on must have that digest. */
export const joinClaim = (lease: Lease, namespace: string): Action =>
  changeClaim(lease, {
    why: `${namespace} has built an image for ${heldTagOf(lease)} too`,
    joining: [...joiningOf(lease), namespace]
  })

interface Came {
  readonly build: NixBuild
  readonly digests: ReadonlyArray<string>
}

/** Writes down which images came onto nodes under the tag, and that the namespace uses it. */
export const recordImages = (lease: Lease, { build, digests }: Came): ReadonlyArray<Action> => {
  const { spec } = build
  const namespace = namespaceOf(build)
  const before = digestsOf(lease, spec.system)
  // Which they all are does not matter once there are two.
  const after = [...new Set([...before, ...digests])].slice(0, Math.max(2, before.length))
  const isUser = usersOf(lease).includes(namespace)
  if (after.length === before.length && isUser) return []
  return [
    changeClaim(lease, {
      why: `${heldTagOf(lease)} is on a node`,
      ...(isUser ? {} : { sharing: [...usersOf(lease).slice(1), namespace] }),
      ...(joiningOf(lease).includes(namespace)
        ? { joining: joiningOf(lease).filter((name) => name !== namespace) }
        : {}),
      annotations: {
        ...(after.length === before.length ? {} : written(digestsAnnotation(spec.system), after)),
        ...(before.length === 0 ? { [sourceAnnotation(spec.system)]: sourceIn(build) } : {})
      }
    })
  ]
}

export const claimTag = (build: Pick<NixBuild, "metadata" | "spec">): Action => {
  const { metadata } = build
  const tag = tagOf(build)
  return {
    action: "Create",
    why: `No namespace has claimed ${tag} yet`,
    object: manifest<V1Lease>()({
      apiVersion: leases.apiVersion,
      kind: "Lease",
      metadata: {
        name: tagLeaseName(tag),
        namespace: systemNamespace,
        labels: { ...managedBy, [heldByLabel]: namespaceOf(build) },
        annotations: { [heldTagAnnotation]: tag }
      },
      spec: { holderIdentity: `${metadata.namespace}/${metadata.uid}` }
    })
  }
}
