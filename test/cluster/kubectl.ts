/** What tests and measurements say to a cluster, to its API server, by kubectl and on its nodes. */
import { Effect } from "effect"
import { kubectl as kubectlWith } from "../../kind/deploy.ts"
import { output } from "../../tools/command.ts"
import { Kubeconfig } from "./api-server.ts"

export * from "./api-server.ts"
export * from "./objects.ts"
export * from "./waits.ts"

/** For what users see of kubectl itself, and what it alone does, such as exec. */
export const kubectl = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  return yield* kubectlWith(yield* Kubeconfig, ...args)
})

/** A shell on the node. */
export const onNode = (node: string, script: string) =>
  output({ command: "docker", args: ["exec", node, "sh", "-euc", script] })

/** containerd's own word, on the node. */
export const ctr = (node: string, ...args: ReadonlyArray<string>) =>
  output({ command: "docker", args: ["exec", node, "ctr", "-n", "k8s.io", ...args] })
