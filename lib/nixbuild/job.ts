/** What the Jobs of a NixBuild have in common: their owner, and the node on which they run. */
import { managedBy, type Node } from "../kubernetes/kinds.ts"
import { hostPaths, mountPaths } from "./job-contract.ts"
import { type NixBuild, nixBuilds } from "../api/nixbuild.ts"
import { ownedBy } from "../kubernetes/owner.ts"

type Strings = Readonly<Record<string, string>>

interface Marks {
  readonly labels: Strings
  readonly annotations: Strings
}

/**
 * The labels and annotations of a Job as its Pod has them: with those that keep
 * meshes from putting their proxies into it, each by its own words (Istio, Kuma;
 * Linkerd, Consul), since a Job has no peers in a mesh.
 */
export const outsideMesh = ({ annotations, labels }: Marks) => ({
  labels: { ...labels, "sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled" },
  annotations: {
    ...annotations,
    "linkerd.io/inject": "disabled",
    "consul.hashicorp.com/connect-inject": "false"
  }
})

/** How Jobs and their Pods lead back to their NixBuild. */
export const ofNixBuild = ownedBy(nixBuilds)

/** Labels and annotations of a Job of a NixBuild. */
export const belongingTo = (build: NixBuild) => {
  const { annotations, labels } = ofNixBuild.belongingTo(build)
  return { labels: { ...managedBy, ...labels }, annotations }
}

/** The same for its Pod. */
export const podBelongingTo = (build: NixBuild) => outsideMesh(belongingTo(build))

/** Selects the node by its name, which unlike its hostname label cannot be changed. */
export const selecting = (node: string) => ({
  nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }]
})

export const onNode = (node: string) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: selecting(node) } }
})

/** No Job needs the API server or is tried again by kubelet. */
export const plainPod = { automountServiceAccountToken: false, enableServiceLinks: false, restartPolicy: "Never" }

/** What no container of the system namespace may, whoever it is. */
export const confined = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" }
}

/** How a container gets at the node's containerd, and has room for what its client writes. */
export const withContainerd = (node: Node) => ({
  securityContext: { runAsUser: 0, ...confined },
  volumeMounts: [
    { name: "containerd", mountPath: mountPaths.socket },
    { name: "tmp", mountPath: mountPaths.temporary }
  ],
  volumes: [
    { name: "containerd", hostPath: { path: socketOf(node), type: "Socket" } },
    { name: "tmp", emptyDir: {} }
  ]
})

// k3s and RKE2 keep their own containerd, whose version says so: containerd://2.1.5-k3s1.
const socketOf = ({ status }: Node): string =>
  /k3s|rke2/.test(status.nodeInfo?.containerRuntimeVersion ?? "") ? hostPaths.k3sSocket : hostPaths.socket

/** Pods of the system namespace go wherever the image is wanted, whatever keeps others away. */
export const systemPod = (node: string) => ({ ...onNode(node), tolerations: [{ operator: "Exists" }], ...plainPod })
