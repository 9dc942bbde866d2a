/**
 * The cache of a namespace on a node: a PersistentVolume below /var/lib/enbi
 * that is bound to a claim in that namespace, and the Job that makes its
 * directories before it is ever mounted.
 */
import { managedBy } from "../../lib/api/kubernetes.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { claimName, persistentVolumeName, systemNamespace, volumeJobName, volumesPath } from "../../lib/names.ts"
import type { SettingsValue } from "../../lib/settings.ts"
import { belongingTo, selecting, systemPod } from "./job.ts"

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

export const makeVolumeJob = ({ build, namespaceUid, node, settings }: Place) => ({
  apiVersion: "batch/v1",
  kind: "Job" as const,
  metadata: { name: volumeJobName(namespaceUid, node), namespace: systemNamespace, ...belongingTo(build) },
  spec: {
    backoffLimit: 3,
    activeDeadlineSeconds: 300,
    ttlSecondsAfterFinished: 3600,
    template: {
      metadata: { annotations: belongingTo(build).annotations, labels: managedBy },
      spec: {
        ...systemPod(node),
        containers: [
          {
            name: "prepare-volume",
            image: settings.builderImage,
            args: ["/app/prepare-volume.js"],
            env: [{ name: "VOLUME_NAME", value: namespaceUid }],
            securityContext: {
              runAsUser: 0,
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"], add: ["CHOWN", "DAC_OVERRIDE", "FOWNER"] },
              seccompProfile: { type: "RuntimeDefault" }
            },
            volumeMounts: [{ name: "volumes", mountPath: "/volumes" }]
          }
        ],
        volumes: [{ name: "volumes", hostPath: { path: volumesPath, type: "DirectoryOrCreate" } }]
      }
    }
  }
})
