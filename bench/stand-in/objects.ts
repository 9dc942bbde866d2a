/** A cluster in which much has happened: its nodes, the Pods of others, and NixBuilds that are finished, as retention leaves them. */
import { reasons } from "../../lib/api/reasons.ts"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { heldByLabel, heldTagAnnotation } from "../../lib/api/annotations.ts"
import { tagLeaseName } from "../../lib/api/names.ts"

export interface Size {
  readonly nodes: number
  readonly pods: number
  /** Finished NixBuilds. */
  readonly builds: number
}

/** All of it, one after the other; sizes in bytes are those of real ones. */
export function* objectsOf({ builds, nodes, pods }: Size) {
  const namespaces = namespacesFor(builds)
  for (let index = 0; index < namespaces; index++) yield makeNamespace(index)
  for (let index = 0; index < nodes; index++) yield makeNode(index)
  for (let index = 0; index < pods; index++) yield pod(index, { nodes, namespaces })
  for (let index = 0; index < builds; index++) {
    const place = { namespace: namespaceName(index % namespaces), node: nodeName(index % nodes) }
    yield finished(index, place)
    yield lease(index, place)
  }
}

export const nodeName = (index: number): string => `worker-${index}`
export const namespaceName = (index: number): string => `bench-${index}`

// As many as are kept (SUCCESSFUL_BUILDS_HISTORY_LIMIT).
const buildsPerNamespace = 20
export const namespacesFor = (builds: number): number => Math.max(1, Math.ceil(builds / buildsPerNamespace))

const time = "2026-01-01T00:00:00Z"

const uid = (kind: number, index: number): string =>
  `${String(kind).padStart(8, "0")}-0000-4000-8000-${String(index).padStart(12, "0")}`

// What the API server notes of who wrote which field: a third of most objects.
const managedFields = (bytes: number) => [
  {
    manager: "kubelet",
    operation: "Update",
    fieldsType: "FieldsV1",
    fieldsV1: Object.fromEntries(
      Array.from({ length: Math.round(bytes / 60) }, (_, index) => [
        `f:field-of-some-length-${index}`,
        { "f:name": {} }
      ])
    ),
    time
  }
]
const ofPods = managedFields(4000)
const ofBuilds = managedFields(1500)

const metadata = (ownUid: string, name: string, namespace?: string) => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  uid: ownUid,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: time
})

const makeNamespace = (index: number) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: metadata(uid(1, index), namespaceName(index))
})

// As many as kubelet reports, of two names each: 13 KB.
const images = Array.from({ length: 50 }, (_, index) => ({
  names: [
    `registry.example.com/some-team/some-image-${index}@sha256:${String(index).padStart(64, "0")}`,
    `registry.example.com/some-team/some-image-${index}:1.2.3`
  ],
  sizeBytes: 1_000_000_000 - index
}))

const makeNode = (index: number) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { ...metadata(uid(2, index), nodeName(index)), labels: { "kubernetes.io/arch": "amd64" } },
  spec: {},
  status: {
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: time }],
    nodeInfo: { containerRuntimeVersion: "containerd://2.4.2" },
    images
  }
})

const environment = Array.from({ length: 20 }, (_, index) => ({
  name: `SOME_VARIABLE_${index}`,
  value: `some value of some length, such as a URL has: ${index}`
}))

const container = (name: string) => ({
  name,
  image: `registry.example.com/some-team/${name}:1.2.3`,
  imagePullPolicy: "IfNotPresent",
  env: environment,
  resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } }
})
const containers = [container("app"), container("proxy")]

const pod = (index: number, among: { readonly nodes: number; readonly namespaces: number }) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    ...metadata(uid(3, index), `some-deployment-6c7d5f8b9-${index}`, namespaceName(index % among.namespaces)),
    labels: { app: "some-deployment", "pod-template-hash": "6c7d5f8b9" },
    annotations: { "example.com/checksum": "0".repeat(64) },
    managedFields: ofPods
  },
  spec: { nodeName: nodeName(index % among.nodes), containers },
  status: {
    phase: "Running",
    conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: time
    })),
    containerStatuses: containers.map(({ image, name }) => ({
      name,
      image,
      imageID: `${image}@sha256:${"0".repeat(64)}`,
      containerID: `containerd://${"1".repeat(64)}`,
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: time } }
    }))
  }
})

const condition = (type: string, reason: keyof typeof reasons, message: string = reasons[reason]) => ({
  type,
  status: "True",
  reason,
  message,
  observedGeneration: 1,
  lastTransitionTime: time
})

const tagOf = (index: number): string => `registry.invalid/bench/app-${index}:1`

interface Place {
  readonly namespace: string
  readonly node: string
}

const finished = (index: number, { namespace, node }: Place) => ({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  metadata: {
    ...metadata(uid(4, index), `build-${index}`, namespace),
    labels: managedBy,
    managedFields: ofBuilds
  },
  spec: {
    flakeUrl: `git+https://nossa.ee/~talya/chog?rev=${"0".repeat(40)}`,
    imageTag: tagOf(index),
    packageName: "chog-docker.stream-layered",
    system: "x86_64-linux",
    nodes: [node],
    timeoutSeconds: 3600,
    sandbox: true
  },
  status: {
    status: "Succeeded",
    observedGeneration: 1,
    buildNode: node,
    buildJobName: `build-${index}-build-0123456789`,
    imageDigest: `sha256:${"0".repeat(64)}`,
    imageConfigDigest: `sha256:${"1".repeat(64)}`,
    imageSize: 123_456_789,
    lockedUrl: `git+https://nossa.ee/~talya/chog?rev=${"0".repeat(40)}`,
    storePath: `/nix/store/${"0".repeat(32)}-stream-chog`,
    attempt: 1,
    nodes: [{ name: node, attempt: 1, reason: "ImagePulled", digest: `sha256:${"0".repeat(64)}`, importedTime: time }],
    conditions: [
      condition("Scheduled", "NodeFound"),
      condition("Launched", "JobCreated"),
      condition("Success", "ResultSuccess"),
      condition("Complete", "BuildFinished", "Image loaded"),
      condition("Ready", "Imported", `The image is on ${node}.`)
    ]
  }
})

const lease = (index: number, { namespace }: Place) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: {
    ...metadata(uid(5, index), tagLeaseName(tagOf(index)), "enbi-system"),
    labels: { ...managedBy, [heldByLabel]: namespace },
    annotations: { [heldTagAnnotation]: tagOf(index) }
  },
  spec: { holderIdentity: "bench" }
})
