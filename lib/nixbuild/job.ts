/** What the Jobs of a NixBuild have in common: their owner, and the node on which they run. */
import { managedBy, type Node } from "../kubernetes/kinds.ts"
import { hostPaths } from "./job-contract.ts"
import { type NixBuild, nixBuilds } from "../api/nixbuild.ts"
import { ownedBy } from "../kubernetes/owner.ts"

/**
 * Keeps meshes from putting their proxies into our Pods, each by its own words
 * (Istio, Kuma; Linkerd, Consul): a Job has no peers in a mesh.
 */
export const outsideMesh = {
  labels: { "sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled" },
  annotations: { "linkerd.io/inject": "disabled", "consul.hashicorp.com/connect-inject": "false" }
}

/** How Jobs and their Pods lead back to their NixBuild. */
export const ofNixBuild = ownedBy(nixBuilds)

/** Labels and annotations of a Job of a NixBuild. */
export const belongingTo = (build: NixBuild) => {
  const { annotations, labels } = ofNixBuild.belongingTo(build)
  return { labels: { ...managedBy, ...labels }, annotations }
}

/** The same for its Pod. */
export const podBelongingTo = (build: NixBuild) => {
  const { annotations, labels } = belongingTo(build)
  return {
    labels: { ...labels, ...outsideMesh.labels },
    annotations: { ...annotations, ...outsideMesh.annotations }
  }
}

/** Selects the node by its name, which unlike its hostname label cannot be changed. */
export const selecting = (node: string) => ({
  nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }]
})

export const onNode = (node: string) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: selecting(node) } }
})

/** No Job needs the API server or is tried again by kubelet. */
export const plainPod = { automountServiceAccountToken: false, enableServiceLinks: false, restartPolicy: "Never" }

// k3s and RKE2 keep their own containerd, whose version says so: containerd://2.1.5-k3s1.
export const socketOf = ({ status }: Node): string =>
  /k3s|rke2/.test(status.nodeInfo?.containerRuntimeVersion ?? "") ? hostPaths.k3sSocket : hostPaths.socket

/** Pods of the system namespace go wherever the image is wanted, whatever keeps others away. */
export const systemPod = (node: string) => ({ ...onNode(node), tolerations: [{ operator: "Exists" }], ...plainPod })
