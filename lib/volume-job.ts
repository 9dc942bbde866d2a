/**
 * The Jobs that make and remove the directories of a cache volume on its node.
 * They are root there, but see nothing of it except /var/lib/enbi.
 */
import { managedBy } from "./api/kubernetes.ts"
import { systemPod } from "./job.ts"
import { systemNamespace, volumesPath } from "./names.ts"

export interface VolumeJob {
  readonly name: string
  readonly node: string
  readonly namespaceUid: string
  readonly builderImage: string
  readonly program: "prepare-volume" | "remove-volume"
  readonly activeDeadlineSeconds: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export const makeVolumeProgramJob = (job: VolumeJob) => ({
  apiVersion: "batch/v1",
  kind: "Job" as const,
  metadata: { name: job.name, namespace: systemNamespace, labels: job.labels, annotations: job.annotations },
  spec: {
    backoffLimit: 3,
    activeDeadlineSeconds: job.activeDeadlineSeconds,
    ttlSecondsAfterFinished: 3600,
    template: {
      metadata: { annotations: job.annotations, labels: managedBy },
      spec: {
        ...systemPod(job.node),
        containers: [
          {
            name: job.program,
            image: job.builderImage,
            args: [`/app/${job.program}.js`],
            env: [{ name: "VOLUME_NAME", value: job.namespaceUid }],
            securityContext: {
              runAsUser: 0,
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"], add: capabilities[job.program] },
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

// What is in a volume belongs to uid 1000, and Nix leaves its store read-only.
const capabilities = {
  "prepare-volume": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
  "remove-volume": ["DAC_OVERRIDE", "FOWNER"]
}
