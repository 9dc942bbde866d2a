/** The NixBuild that a Pod's annotations ask for. */
import type { KubernetesObject } from "../../lib/api/kind.ts"
import { managedBy, type Node, type Pod } from "../../lib/api/kubernetes.ts"
import { nixBuilds, type System } from "../../lib/api/nixbuild.ts"
import { systemOf } from "../../lib/api/system.ts"
import { flakeUrlAnnotation, imageTagAnnotation, packageNameAnnotation } from "../../lib/keys.ts"
import { hash10 } from "../../lib/names.ts"
import { sayingName } from "../../lib/say.ts"

export const annotations = [flakeUrlAnnotation, imageTagAnnotation, packageNameAnnotation]

/** Which of the three annotations the Pod has. */
export const annotationsOf = ({ metadata }: Pod): ReadonlyArray<string> =>
  annotations.filter((annotation) => metadata.annotations?.[annotation] !== undefined)

export interface Wish {
  readonly flakeUrl: string
  readonly imageTag: string
  readonly packageName: string
  readonly system: System
}

/** What the Pod asks for; a Pod names no system, so that comes from the node it is bound to. */
export const wishOf = ({ metadata }: Pod, node: Node | undefined): Wish | undefined => {
  const flakeUrl = metadata.annotations?.[flakeUrlAnnotation]
  const imageTag = metadata.annotations?.[imageTagAnnotation]
  const packageName = metadata.annotations?.[packageNameAnnotation]
  const system = systemOf(node?.metadata.labels?.["kubernetes.io/arch"])
  return flakeUrl === undefined || imageTag === undefined || packageName === undefined || system === undefined
    ? undefined
    : { flakeUrl, imageTag, packageName, system }
}

/** Pods that ask for the same share one NixBuild. */
export const nixBuildName = ({ flakeUrl, imageTag, packageName, system }: Wish): string =>
  `podwatcher-${hash10(flakeUrl, imageTag, packageName, system)}`

/** Name of the Event that tells why the API server refused this Pod's NixBuild; once said, it is not tried again. */
export const refusalName = ({ metadata }: Pod, wish: Wish): string =>
  sayingName({ about: metadata, reason: "NixBuildRefused", key: nixBuildName(wish) })

export const makeNixBuild = (
  { metadata, spec }: Pod,
  wish: Wish
): KubernetesObject & { readonly kind: "NixBuild" } => ({
  apiVersion: nixBuilds.apiVersion,
  kind: "NixBuild",
  metadata: { name: nixBuildName(wish), namespace: metadata.namespace, labels: managedBy },
  spec: { ...wish, nodes: spec.nodeName === undefined ? [] : [spec.nodeName] }
})
