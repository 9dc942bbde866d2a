/**
 * What creating and removing a cache volume have in common: which node it is
 * of, and the Jobs that make and remove its directories. They are root there,
 * but see nothing of the node except /var/lib/enbi.
 */
import type { V1Job } from "@kubernetes/client-node"
import { managedBy, type Node, type PersistentVolume } from "../kubernetes/kinds.ts"
import { manifest } from "../kubernetes/manifest.ts"
import { confined, outsideMesh, systemPod } from "./job.ts"
import { namespaceAnnotation, nodeAnnotation, nodeUidAnnotation } from "../api/annotations.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { hostPaths, mountPaths, programPath, programs, volumeVariables } from "./job-contract.ts"

/** The node has been reinstalled, or has at least rejoined, since: the volume's directory may be lost. */
export const isOfFormerNode = (volume: PersistentVolume, node: Node): boolean => {
  const uid = volume.metadata.annotations?.[nodeUidAnnotation]
  return uid !== undefined && uid !== node.metadata.uid
}

export interface VolumeJob {
  readonly name: string
  readonly node: string
  readonly namespaceUid: string
  readonly builderImage: string
  readonly program: keyof typeof capabilities
  /** From its creation on. Absent: none, since work that waits for the node is reported and not given up. */
  readonly activeDeadlineSeconds?: number
  readonly namespace: string
}

/** Not of one NixBuild, since all of the namespace share the volume. */
export const makeVolumeProgramJob = (job: VolumeJob) =>
  manifest<V1Job>()({
    apiVersion: "batch/v1",
    kind: "Job" as const,
    metadata: { name: job.name, namespace: systemNamespace, labels: managedBy, annotations: annotationsOf(job) },
    spec: {
      backoffLimit: 3,
      ...(job.activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds: job.activeDeadlineSeconds }),
      ttlSecondsAfterFinished: 3600,
      template: {
        metadata: outsideMesh({ labels: managedBy, annotations: {} }),
        spec: {
          ...systemPod(job.node),
          containers: [
            {
              name: job.program,
              image: job.builderImage,
              args: [programPath(job.program)],
              env: [{ name: volumeVariables.volumeName, value: job.namespaceUid }],
              securityContext: {
                runAsUser: 0,
                ...confined,
                capabilities: { ...confined.capabilities, add: capabilities[job.program] }
              },
              volumeMounts: [{ name: "volumes", mountPath: mountPaths.volumes }]
            }
          ],
          volumes: [{ name: "volumes", hostPath: { path: hostPaths.volumes, type: "DirectoryOrCreate" } }]
        }
      }
    }
  })

const annotationsOf = ({ namespace, node }: VolumeJob) => ({ [namespaceAnnotation]: namespace, [nodeAnnotation]: node })

// What is in a volume belongs to uid 1000, and Nix leaves its store read-only.
const capabilities = {
  [programs.prepareVolume]: ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
  [programs.removeVolume]: ["DAC_OVERRIDE", "FOWNER"]
}
