/** What is there when a story begins. */
import type { SettingsValue } from "../../lib/api/settings.ts"

export const settings: SettingsValue = {
  builderImage: "enbi-builder:test",
  // More than the stories have builds, so that the order of things does not choose the nodes.
  maxBuildsPerNode: 10,
  nodeRepel: [],
  retryDelaysSeconds: [60, 300, 900],
  cacheLimitBytes: 0,
  successfulBuildsHistoryLimit: 20,
  failedBuildsHistoryLimit: 20,
  substituters: [],
  trustedPublicKeys: [],
  buildEgress: "public",
  closedCidrs: ["10.0.0.0/8", "fc00::/7"],
  imageRegistry: "127.0.0.1:5080",
  packageSet: "github:a/packages",
  registryPublishUrl: "http://image-registry.enbi-system.svc:5081",
  keepReplacedSeconds: 604_800,
  registryUrl: "http://image-registry.enbi-system.svc:5080"
}

export const node = (name: string) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/arch": "amd64" } },
  spec: {},
  status: {
    conditions: [{ type: "Ready", status: "True" }],
    nodeInfo: { containerRuntimeVersion: "containerd://2.4.2" }
  }
})

export const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

export interface Wish {
  readonly name: string
  /** Absent: apps. */
  readonly namespace?: string
  /** Absent: github:a/b. With the word "moving" each build gives another image, with "odd" node two. */
  readonly flakeUrl?: string
  readonly image: string
  /** `bad` is a package whose build fails, `flaky` one that fails once on each node in a way that passes. */
  readonly packageName: "good" | "bad" | "flaky"
}

/** A Pod that kubelet can't start for want of its image. */
export const waitingPod = (pod: Wish & { readonly nodeName: string }) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: pod.name,
    namespace: pod.namespace ?? "apps",
    annotations: {
      "enbi.hrzn.ee/nixbuild-flakeUrl": pod.flakeUrl ?? "github:a/b",
      "enbi.hrzn.ee/nixbuild-imageTag": pod.image,
      "enbi.hrzn.ee/nixbuild-packageName": pod.packageName
    }
  },
  spec: { nodeName: pod.nodeName, containers: [{ name: "app", image: pod.image }] },
  status: {
    phase: "Pending",
    containerStatuses: [{ name: "app", state: { waiting: { reason: "ImagePullBackOff" } } }]
  }
})

/** One with a second image: of an init container, whose annotations are the Pod's, and of a container that has its own. */
export const podOfTwoImages = ({ isInitFirst }: { readonly isInitFirst: boolean }) => {
  const pod = waitingPod({ name: "two", nodeName: "one", image: "reg.io/a:1", packageName: "good" })
  const [first, second] = [
    { name: "first", image: "reg.io/a:1" },
    { name: "second", image: "reg.io/b:1" }
  ]
  const status = (name: string, reason: string) => ({ name, state: { waiting: { reason } } })
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: { ...pod.metadata.annotations, "second.enbi.hrzn.ee/nixbuild-packageName": "good" }
    },
    spec: isInitFirst
      ? { nodeName: "one", initContainers: [first], containers: [second] }
      : { nodeName: "one", containers: [first, second] },
    status: isInitFirst
      ? {
          phase: "Pending",
          initContainerStatuses: [status("first", "ErrImagePull")],
          containerStatuses: [status("second", "PodInitializing")]
        }
      : {
          phase: "Pending",
          containerStatuses: [status("first", "ErrImagePull"), status("second", "ImagePullBackOff")]
        }
  }
}

/** One that somebody wrote by hand. */
export const nixBuild = (build: Wish & { readonly nodes: ReadonlyArray<string> }) => ({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  metadata: { name: build.name, namespace: build.namespace ?? "apps" },
  spec: {
    flakeUrl: build.flakeUrl ?? "github:a/b",
    imageTag: build.image,
    packageName: build.packageName,
    system: "x86_64-linux",
    nodes: build.nodes
  }
})

/** An image of packages for the registry; without systems it is built for those of the nodes. */
export const nixImage = (image: {
  readonly name: string
  readonly namespace?: string
  readonly contents: ReadonlyArray<string>
  readonly systems?: ReadonlyArray<string>
}) => ({
  apiVersion: "k8s.nixos.org/v1",
  kind: "NixImage",
  metadata: { name: image.name, namespace: image.namespace ?? "apps" },
  data: {
    tag: "v1",
    contents: image.contents,
    ...(image.systems === undefined ? {} : { systems: image.systems })
  }
})

/** Two that are the same but for their names, one that wants the name of the first, and one that can't be built. */
export const images = [
  namespace("apps"),
  namespace("others"),
  node("one"),
  nixImage({ name: "tools", contents: ["curl", "jq"] }),
  nixImage({ name: "same", contents: ["jq", "curl", "jq"], systems: ["x86_64-linux"] }),
  nixImage({ name: "tools", namespace: "others", contents: ["git"] }),
  nixImage({ name: "wrong", contents: ["bad"] })
]

/** A Pod that waits for an image of the registry, of a name that says what is in it. */
export const pullingPod = (pod: { readonly name: string; readonly namespace?: string; readonly pulls: string }) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: pod.name, namespace: pod.namespace ?? "apps" },
  spec: { nodeName: "one", containers: [{ name: "app", image: `127.0.0.1:5080/${pod.pulls}` }] },
  status: {
    phase: "Pending",
    containerStatuses: [{ name: "app", state: { waiting: { reason: "ImagePullBackOff" } } }]
  }
})

/** One image for one Pod. */
export const onePod = [
  namespace("apps"),
  node("one"),
  waitingPod({ name: "a", nodeName: "one", image: "reg.io/a:1", packageName: "good" })
]

/** One that can't be built. */
export const onePodInVain = [
  namespace("apps"),
  node("one"),
  waitingPod({ name: "b", nodeName: "one", image: "reg.io/b:1", packageName: "bad" })
]

/** An image that two nodes want, whose first attempt fails on each when the source is known. */
export const twoNodesThatFail = [
  namespace("apps"),
  node("one"),
  node("two"),
  waitingPod({ name: "a-1", nodeName: "one", image: "reg.io/a:1", packageName: "flaky" }),
  waitingPod({ name: "a-2", nodeName: "two", image: "reg.io/a:1", packageName: "flaky" })
]

/** An image that two nodes want, one that nobody waits for, and a build that fails. */
export const twoNodes = [
  namespace("apps"),
  node("one"),
  node("two"),
  waitingPod({ name: "a-1", nodeName: "one", image: "reg.io/a:1", packageName: "good" }),
  waitingPod({ name: "a-2", nodeName: "two", image: "reg.io/a:1", packageName: "good" }),
  waitingPod({ name: "b", nodeName: "one", image: "reg.io/b:1", packageName: "bad" }),
  nixBuild({ name: "c", nodes: ["two"], image: "reg.io/c:1", packageName: "good" })
]
