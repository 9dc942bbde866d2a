/** Defaults of a build: the kubeconfig's namespace, and the cluster's system if it has only one. */
import { Effect, Option } from "effect"
import { nodes } from "../../lib/kubernetes/kinds.ts"
import type { System } from "../../lib/api/nixbuild.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { systemOf } from "../../lib/api/system.ts"
import { listFrom } from "../../lib/kubernetes/cluster.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { Kubernetes } from "../kubernetes.ts"
import { Trouble } from "../exit.ts"

/** As kubectl has it. */
export const namespaceOr = Effect.fnUntraced(function* (namespace: Option.Option<string>) {
  if (Option.isSome(namespace)) return namespace.value
  const { connected } = yield* Kubernetes
  return (yield* connected).namespace
})

/** The system of all nodes, if they have only one. */
export const systemOfNodes = Effect.fnUntraced(function* (api: (typeof KubernetesApi)["Service"]) {
  const counts = new Map<System, number>()
  for (const { metadata } of yield* listFrom(api)(all(nodes))) {
    const system = systemOf(metadata.labels?.["kubernetes.io/arch"])
    if (system !== undefined) counts.set(system, (counts.get(system) ?? 0) + 1)
  }
  const [only, ...others] = counts.keys()
  if (only !== undefined && others.length === 0) return only
  const found = [...counts].map(([system, count]) => `${system} (${count} ${count === 1 ? "node" : "nodes"})`)
  return yield* new Trouble({
    message:
      only === undefined
        ? "No node has a system that Nix knows: choose one with --system."
        : `The nodes have several systems: choose one with --system. ${found.join(", ")}.`
  })
})
