/** NixBuilds that are asked for: the same words always make the same one. */
import type { KubernetesObject } from "../kubernetes/kind.ts"
import { type NixBuild, nixBuilds } from "../api/nixbuild.ts"
import { hash10 } from "../hash.ts"

type Spec = NixBuild["spec"]

/** What it is to build, and how, as in its spec. */
export type Wanted = Pick<Spec, "flakeUrl" | "imageTag" | "system"> & { readonly packageName: string } & Partial<
    Pick<Spec, "resources" | "sandbox" | "timeoutSeconds">
  >

/** Pods that ask for the same share one NixBuild. */
export const nameForPods = ({ flakeUrl, imageTag, packageName, system, ...parameters }: Wanted): string =>
  `podwatcher-${hash10(flakeUrl, imageTag, packageName, system, ...partsOf(parameters))}`

/** For people, who read it: a second call finds the first one's. */
export const nameForPeople = ({ flakeUrl, imageTag, packageName, system }: Wanted): string => {
  const words = packageName.toLowerCase().match(/[a-z0-9]+/g) ?? ["package"]
  const readable = words.join("-").slice(0, 40).replace(/-$/, "")
  return `${readable}-${hash10(flakeUrl, packageName, system, imageTag)}`
}

// Without parameters the name is as it was before there were any.
const partsOf = ({ resources, sandbox, timeoutSeconds }: Partial<Spec>): ReadonlyArray<string> => [
  ...(sandbox === undefined ? [] : [`sandbox=${sandbox}`]),
  ...(timeoutSeconds === undefined ? [] : [`timeoutSeconds=${timeoutSeconds}`]),
  ...(resources === undefined
    ? []
    : [`resources=${JSON.stringify([resources.limits, resources.requests].map(sorted))}`])
]

const sorted = (quantities: Readonly<Record<string, string | number>> = {}) =>
  Object.entries(quantities).toSorted(([a], [b]) => (a < b ? -1 : 1))

export const makeNixBuild = (
  metadata: KubernetesObject["metadata"] & { readonly name: string; readonly namespace: string | undefined },
  spec: Wanted & Pick<Spec, "nodes">
): KubernetesObject => ({ apiVersion: nixBuilds.apiVersion, kind: nixBuilds.kind, metadata, spec })
