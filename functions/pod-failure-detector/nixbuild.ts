/** The NixBuild that a Pod's annotations ask for. */
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { managedBy, type Pod } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds, type System } from "../../lib/api/nixbuild.ts"
import { hash10 } from "../../lib/hash.ts"
import type { Parameters } from "./annotations.ts"

/** What it is to build, and how, as in its spec. */
export interface Wanted extends Parameters {
  readonly flakeUrl: string
  readonly imageTag: string
  readonly packageName: string
  readonly system: System
}

/** Pods that ask for the same share one NixBuild. */
export const nixBuildName = ({ flakeUrl, imageTag, packageName, system, ...parameters }: Wanted): string =>
  `podwatcher-${hash10(flakeUrl, imageTag, packageName, system, ...partsOf(parameters))}`

// Without parameters the name is as it was before there were any.
const partsOf = ({ resources, sandbox, timeoutSeconds }: Parameters): ReadonlyArray<string> => [
  ...(sandbox === undefined ? [] : [`sandbox=${sandbox}`]),
  ...(timeoutSeconds === undefined ? [] : [`timeoutSeconds=${timeoutSeconds}`]),
  ...(resources === undefined
    ? []
    : [`resources=${JSON.stringify([resources.limits, resources.requests].map(sorted))}`])
]

const sorted = (quantities: Readonly<Record<string, string | number>> = {}) =>
  Object.entries(quantities).toSorted(([a], [b]) => (a < b ? -1 : 1))

export const makeNixBuild = (
  { metadata, spec }: Pod,
  wanted: Wanted
): KubernetesObject & { readonly kind: "NixBuild" } => ({
  apiVersion: nixBuilds.apiVersion,
  kind: "NixBuild",
  metadata: { name: nixBuildName(wanted), namespace: metadata.namespace, labels: managedBy },
  spec: { ...wanted, nodes: [spec.nodeName].filter((name) => name !== undefined) }
})
