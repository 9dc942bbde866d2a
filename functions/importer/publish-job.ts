/**
 * The Job that brings a built image into the image registry, in the place of
 * the import Job and under its name. It runs in the system namespace for the
 * account whose token lets it push; it executes nothing that the build made,
 * and sees the cache read-only and nothing else of the node.
 */
import type { V1Job } from "@kubernetes/client-node"
import { manifest } from "../../lib/kubernetes/manifest.ts"
import { attemptOn, type NixBuild } from "../../lib/api/nixbuild.ts"
import { belongingTo, podBelongingTo, systemPod } from "../../lib/nixbuild/job.ts"
import { tagLabel } from "../../lib/api/annotations.ts"
import { jobName, tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import {
  hostPaths,
  mountPaths,
  programPath,
  programs,
  publishAccount,
  publishVariables,
  registryAudience,
  repositoryOf
} from "../../lib/nixbuild/job-contract.ts"
import { tagOf } from "../../lib/nixbuild/tag-claim.ts"

interface Publication {
  readonly build: NixBuild
  readonly namespaceUid: string
  /** The name of the node that has built. */
  readonly node: string
  readonly builderImage: string
  readonly registryPublishUrl: string
}

// A layout can be read by everybody, so the Pod need be neither root nor who builds.
const nobody = 65_532

// The shortest that Kubernetes gives; kubelet renews it as long as the Pod runs.
const tokenSeconds = 600

export const makePublishJob = ({ build, builderImage, namespaceUid, node, registryPublishUrl }: Publication) => {
  const owner = belongingTo(build)
  return manifest<V1Job>()({
    apiVersion: "batch/v1",
    kind: "Job" as const,
    metadata: {
      name: jobName("import", { build: build.metadata, node, attempt: attemptOn(build, node) }),
      namespace: systemNamespace,
      ...owner,
      labels: { ...owner.labels, [tagLabel]: tagLeaseName(tagOf(build)) }
    },
    spec: {
      backoffLimit: 0,
      // The NixBuild cannot own a Job in another namespace, so this removes what nobody else did.
      ttlSecondsAfterFinished: 86_400,
      template: {
        metadata: podBelongingTo(build),
        spec: {
          ...systemPod(node),
          serviceAccountName: publishAccount,
          containers: [
            {
              name: programs.publish,
              image: builderImage,
              args: [programPath(programs.publish)],
              env: [
                { name: publishVariables.uid, value: build.metadata.uid },
                { name: publishVariables.system, value: build.spec.system },
                { name: publishVariables.registryUrl, value: registryPublishUrl },
                { name: publishVariables.repository, value: repositoryOf(namespaceUid) },
                { name: publishVariables.tokenFile, value: `${mountPaths.registryToken}/token` }
              ],
              securityContext: {
                runAsNonRoot: true,
                runAsUser: nobody,
                runAsGroup: nobody,
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
                seccompProfile: { type: "RuntimeDefault" }
              },
              volumeMounts: [
                { name: "cache", mountPath: mountPaths.cache, readOnly: true },
                { name: "registry-token", mountPath: mountPaths.registryToken, readOnly: true }
              ]
            }
          ],
          volumes: [
            { name: "cache", hostPath: { path: `${hostPaths.volumes}/${namespaceUid}`, type: "Directory" } },
            {
              name: "registry-token",
              projected: {
                sources: [
                  {
                    serviceAccountToken: { audience: registryAudience, expirationSeconds: tokenSeconds, path: "token" }
                  }
                ]
              }
            }
          ]
        }
      }
    }
  })
}
