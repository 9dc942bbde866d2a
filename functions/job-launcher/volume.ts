/**
 * The cache of a namespace on a node: a PersistentVolume below /var/lib/enbi
 * that is bound to a claim in that namespace, and the Job that makes its
 * directories before it is ever mounted.
 */
import type { V1PersistentVolume, V1PersistentVolumeClaim } from "@kubernetes/client-node"
import { namespaceOf } from "../../lib/kubernetes/kind.ts"
import { managedBy, type Node } from "../../lib/kubernetes/kinds.ts"
import { manifest } from "../../lib/kubernetes/manifest.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { selecting } from "../../lib/nixbuild/job.ts"
import {
  followsEgressAnnotation,
  namespaceAnnotation,
  nodeAnnotation,
  nodeUidAnnotation,
  volumeLabel
} from "../../lib/api/annotations.ts"
import { claimName, persistentVolumeName, volumeJobName } from "../../lib/api/names.ts"
import { hostPaths, programs } from "../../lib/nixbuild/job-contract.ts"
import { makeVolumeProgramJob } from "../../lib/nixbuild/cache-volume.ts"
import type { LauncherSettings } from "./settings.ts"

export interface Place {
  readonly build: NixBuild
  readonly namespaceUid: string
  readonly node: Node
  readonly settings: LauncherSettings
  /** All caches of the namespace, this one with them, are of a time since when builds do what is set. */
  readonly followsEgress?: boolean
}

// Kubernetes wants a size; a hostPath has none, so this only has to match the claim's.
const storage = "1Gi"

export const makePersistentVolume = ({ build, namespaceUid, node: { metadata: node } }: Place) =>
  manifest<V1PersistentVolume>()({
    apiVersion: "v1",
    kind: "PersistentVolume" as const,
    metadata: {
      name: persistentVolumeName(namespaceUid, node.name),
      labels: { ...managedBy, [volumeLabel]: persistentVolumeName(namespaceUid, node.name) },
      annotations: {
        [namespaceAnnotation]: namespaceOf(build),
        [nodeAnnotation]: node.name,
        [nodeUidAnnotation]: node.uid
      }
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
        name: claimName(node.name)
      },
      hostPath: { path: `${hostPaths.volumes}/${namespaceUid}`, type: "Directory" },
      nodeAffinity: { required: selecting(node.name) }
    }
  })

// It selects its volume: of a claim that names one, Kubernetes' volume controller writes the volume from two workers
// at once, and when they disturb each other it leaves the claim for fifteen seconds.
export const makeClaim = ({ build, followsEgress, namespaceUid, node: { metadata: node } }: Place) =>
  manifest<V1PersistentVolumeClaim>()({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim" as const,
    metadata: {
      name: claimName(node.name),
      namespace: build.metadata.namespace,
      labels: managedBy,
      annotations: {
        [nodeAnnotation]: node.name,
        ...(followsEgress === true ? { [followsEgressAnnotation]: "true" } : {})
      }
    },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName: "",
      selector: { matchLabels: { [volumeLabel]: persistentVolumeName(namespaceUid, node.name) } },
      resources: { requests: { storage } }
    }
  })

export const makeVolumeJob = ({ build, namespaceUid, node: { metadata: node }, settings }: Place) =>
  makeVolumeProgramJob({
    name: volumeJobName(namespaceUid, node.name),
    node: node.name,
    namespaceUid,
    builderImage: settings.builderImage,
    program: programs.prepareVolume,
    namespace: namespaceOf(build)
  })
