/**
 * The cache of a namespace on a node: a PersistentVolume below /var/lib/enbi
 * that is bound to a claim in that namespace, and the Job that makes its
 * directories before it is ever mounted.
 */
import { managedBy } from "../../lib/api/kubernetes.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { belongingTo, selecting } from "../../lib/job.ts"
import { claimName, persistentVolumeName, volumeJobName, volumesPath } from "../../lib/names.ts"
import type { SettingsValue } from "../../lib/settings.ts"
import { makeVolumeProgramJob } from "../../lib/volume-job.ts"

export interface Place {
  readonly build: NixBuild
  readonly namespaceUid: string
  readonly node: string
  readonly settings: SettingsValue
}

// Kubernetes wants a size; a hostPath has none, so this only has to match the claim's.
const storage = "1Gi"

export const makePersistentVolume = ({ build, namespaceUid, node }: Place) => ({
  apiVersion: "v1",
  kind: "PersistentVolume" as const,
  metadata: {
    name: persistentVolumeName(namespaceUid, node),
    labels: managedBy,
    annotations: { "enbi.hrzn.ee/namespace": build.metadata.namespace ?? "", "enbi.hrzn.ee/node": node }
  },
  spec: {
    capacity: { storage },
    accessModes: ["ReadWriteOnce"],
    persistentVolumeReclaimPolicy: "Retain",
    storageClassName: "",
    claimRef: {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      namespace: build.metadata.namespace,
      name: claimName(node)
    },
    hostPath: { path: `${volumesPath}/${namespaceUid}`, type: "Directory" },
    nodeAffinity: { required: selecting(node) }
  }
})

export const makeClaim = ({ build, namespaceUid, node }: Place) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim" as const,
  metadata: {
    name: claimName(node),
    namespace: build.metadata.namespace,
    labels: managedBy,
    annotations: { "enbi.hrzn.ee/node": node }
  },
  spec: {
    accessModes: ["ReadWriteOnce"],
    storageClassName: "",
    volumeName: persistentVolumeName(namespaceUid, node),
    resources: { requests: { storage } }
  }
})

export const makeVolumeJob = ({ build, namespaceUid, node, settings }: Place) =>
  makeVolumeProgramJob({
    name: volumeJobName(namespaceUid, node),
    node,
    namespaceUid,
    builderImage: settings.builderImage,
    program: "prepare-volume",
    activeDeadlineSeconds: 300,
    ...belongingTo(build)
  })
