/** Which nodes may build: one rule for choosing a node and for building there. */
import { isReady, type Node } from "../kubernetes/kinds.ts"
import type { System } from "../api/nixbuild.ts"
import { architectureOf, nodeArchitectureOf } from "../api/system.ts"
import { nodeRepelAnnotation } from "../api/annotations.ts"

export interface Placement {
  readonly system: System
  /** Node names, or label selectors: `key=value` or `key` alone. */
  readonly nodeRepel: ReadonlyArray<string>
}

/** Why this node can't build, in a few words, or nothing when it can. */
export const obstacleOf = (node: Node, { nodeRepel, system }: Placement): string | undefined => {
  const { annotations = {}, labels = {}, name } = node.metadata
  if (nodeArchitectureOf(node) !== architectureOf(system)) return `is not ${architectureOf(system)}`
  const runtime = node.status.nodeInfo?.containerRuntimeVersion
  if (runtime !== undefined && !runtime.startsWith("containerd://")) return `runs ${runtime} and not containerd`
  if (!isReady(node)) return "is not Ready"
  if (node.spec.unschedulable === true) return "is cordoned"
  const taint = (node.spec.taints ?? []).find(({ effect }) => effect === "NoSchedule" || effect === "NoExecute")
  if (taint !== undefined) return `has the taint ${taint.key}`
  if (annotations[nodeRepelAnnotation] === "true") return `is excluded by its annotation ${nodeRepelAnnotation}`
  const repelled = nodeRepel.find((repel) => {
    const [key = "", value] = repel.split("=")
    return repel === name || (Object.hasOwn(labels, key) && (value === undefined || labels[key] === value))
  })
  return repelled === undefined ? undefined : `is excluded by NODE_REPEL (${repelled})`
}
