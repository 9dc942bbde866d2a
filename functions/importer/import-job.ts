/**
 * The Job that brings a built image into a node's containerd. It holds the
 * socket, which is as good as root on the node, so it runs in the system
 * namespace, executes nothing that the build made, and sees the cache
 * read-only.
 */
import type { V1Job } from "@kubernetes/client-node"
import type { Node } from "../../lib/kubernetes/kinds.ts"
import { manifest } from "../../lib/kubernetes/manifest.ts"
import { attemptOn, type NixBuild } from "../../lib/api/nixbuild.ts"
import { belongingTo, podBelongingTo, socketOf, systemPod } from "../../lib/nixbuild/job.ts"
import { tagLabel } from "../../lib/api/annotations.ts"
import { jobName, tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { hostPaths, importVariables, mountPaths, programPath, programs } from "../../lib/nixbuild/job-contract.ts"
import { tagOf } from "../../lib/nixbuild/tag-claim.ts"
import type { Expected } from "./tag.ts"

export interface Import {
  readonly build: NixBuild
  readonly namespaceUid: string
  readonly node: Node
  readonly builderImage: string
  /** The one image that may come under the tag, where others use it too. */
  readonly expected?: Expected
}

export const makeImportJob = ({ build, builderImage, expected, namespaceUid, node }: Import) => {
  const nodeName = node.metadata.name
  const name = jobName("import", { build: build.metadata, node: nodeName, attempt: attemptOn(build, nodeName) })
  const owner = belongingTo(build)
  const lease = tagLeaseName(tagOf(build))
  return manifest<V1Job>()({
    apiVersion: "batch/v1",
    kind: "Job" as const,
    metadata: { name, namespace: systemNamespace, ...owner, labels: { ...owner.labels, [tagLabel]: lease } },
    spec: {
      backoffLimit: 0,
      // The NixBuild cannot own a Job in another namespace, so this removes what nobody else did.
      ttlSecondsAfterFinished: 86_400,
      template: {
        metadata: podBelongingTo(build),
        spec: {
          ...systemPod(nodeName),
          containers: [
            {
              name: programs.import,
              image: builderImage,
              args: [programPath(programs.import)],
              env: [
                { name: importVariables.imageTag, value: build.spec.imageTag },
                { name: importVariables.uid, value: build.metadata.uid },
                { name: importVariables.system, value: build.spec.system },
                { name: importVariables.socket, value: mountPaths.socket },
                ...(expected === undefined
                  ? []
                  : [
                      { name: importVariables.expectedDigest, value: expected.digest },
                      { name: importVariables.tagUse, value: expected.words }
                    ])
              ],
              securityContext: {
                runAsUser: 0,
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
                seccompProfile: { type: "RuntimeDefault" }
              },
              volumeMounts: [
                { name: "cache", mountPath: mountPaths.cache, readOnly: true },
                { name: "containerd", mountPath: mountPaths.socket },
                { name: "tmp", mountPath: mountPaths.temporary }
              ]
            }
          ],
          volumes: [
            { name: "cache", hostPath: { path: `${hostPaths.volumes}/${namespaceUid}`, type: "Directory" } },
            { name: "containerd", hostPath: { path: socketOf(node), type: "Socket" } },
            { name: "tmp", emptyDir: {} }
          ]
        }
      }
    }
  })
}
