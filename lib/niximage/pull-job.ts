/**
 * The Job that has a node's containerd pull an image from the registry under
 * the name that a Pod has. It holds containerd's socket, so it runs in the
 * system namespace, as the import Job does.
 */
import type { V1Job } from "@kubernetes/client-node"
import { managedBy, type Job, jobs, type Node } from "../kubernetes/kinds.ts"
import { manifest } from "../kubernetes/manifest.ts"
import { ownedBy } from "../kubernetes/owner.ts"
import { labelled } from "../kubernetes/question.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { nodeAnnotation, pulledAnnotation } from "../api/annotations.ts"
import type { System } from "../api/nixbuild.ts"
import { type NixImage, nixImages } from "../api/niximage.ts"
import { hash10 } from "../hash.ts"
import { mountPaths, programPath, programs, pullVariables } from "../nixbuild/job-contract.ts"
import { outsideMesh, systemPod, withContainerd } from "../nixbuild/job.ts"

/** What is brought to a node. */
export interface Pulled {
  readonly image: NixImage
  readonly system: System
  /** Of the image for the system. */
  readonly digest: string
  readonly node: Node
  /** The image's name as the Pod has it, in full. */
  readonly reference: string
}

const ofNixImage = ownedBy(nixImages)

// A Job's name becomes a Pod label, and a label ends at 63 characters.
const maxReadable = 63 - "-pull-0123456789".length

/** One for each image, name and node: another digest under the name is another Job. */
export const pullJobName = ({ digest, image, node, reference }: Omit<Pulled, "system">): string => {
  const readable = image.metadata.name.slice(0, maxReadable).replace(/[^a-z0-9]+$/, "")
  return `${readable}-pull-${hash10(image.metadata.uid, digest, node.metadata.name, reference)}`
}

export const makePullJob = (
  pulled: Pulled,
  { builderImage, registryUrl }: { readonly builderImage: string; readonly registryUrl: string }
) => {
  const { image, node, reference, system } = pulled
  const { annotations, labels: ofImage } = ofNixImage.belongingTo(image)
  const labels = { ...managedBy, ...ofImage }
  const { securityContext, volumeMounts, volumes } = withContainerd(node)
  const name = node.metadata.name
  return manifest<V1Job>()({
    apiVersion: "batch/v1",
    kind: "Job" as const,
    metadata: {
      name: pullJobName(pulled),
      namespace: systemNamespace,
      labels,
      annotations: { ...annotations, [nodeAnnotation]: name, [pulledAnnotation]: reference }
    },
    spec: {
      backoffLimit: 0,
      // Longer than kubelet waits between two tries of its own.
      ttlSecondsAfterFinished: 600,
      template: {
        metadata: outsideMesh({ labels, annotations }),
        spec: {
          ...systemPod(name),
          containers: [
            {
              name: programs.pull,
              image: builderImage,
              args: [programPath(programs.pull)],
              env: [
                { name: pullVariables.imageTag, value: reference },
                { name: pullVariables.system, value: system },
                { name: pullVariables.registryUrl, value: registryUrl },
                { name: pullVariables.socket, value: mountPaths.socket }
              ],
              securityContext,
              volumeMounts
            }
          ],
          volumes
        }
      }
    }
  })
}

/** What a Job has brought, and where; none if it is no such Job. */
export const pulledBy = ({ metadata }: Job): { readonly node: string; readonly reference: string } | undefined => {
  const { [nodeAnnotation]: node, [pulledAnnotation]: reference } = metadata.annotations ?? {}
  return node === undefined || reference === undefined ? undefined : { node, reference }
}

/** The Jobs that bring a NixImage's images. */
export const pullsOf = labelled({
  kind: jobs,
  label: ofNixImage.uidLabel,
  asked: ({ metadata: { uid } }: Pick<NixImage, "metadata">) => ({ namespace: systemNamespace, value: uid })
})
