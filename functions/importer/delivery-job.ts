/**
 * What the Jobs that bring a built image somewhere have in common: they run in
 * the system namespace on the node that has built, under one name, since only
 * one of them is made, and see the cache read-only.
 */
import type { V1Container, V1Job, V1Volume } from "@kubernetes/client-node"
import { type Manifest, manifest } from "../../lib/kubernetes/manifest.ts"
import { attemptOn, type NixBuild } from "../../lib/api/nixbuild.ts"
import { belongingTo, podBelongingTo, systemPod } from "../../lib/nixbuild/job.ts"
import { tagLabel } from "../../lib/api/annotations.ts"
import { jobName, tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { hostPaths, mountPaths, type Program, programPath } from "../../lib/nixbuild/job-contract.ts"
import { tagOf } from "../../lib/nixbuild/tag-claim.ts"

export interface Delivered {
  readonly build: NixBuild
  readonly namespaceUid: string
  /** The name of the node that has built. */
  readonly node: string
  readonly builderImage: string
}

interface Way {
  readonly program: Program
  /** Of the Pod, where it has one. */
  readonly serviceAccountName?: string
  readonly env: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly securityContext: Manifest<NonNullable<V1Container["securityContext"]>>
  /** Beside the cache. */
  readonly volumeMounts: ReadonlyArray<Manifest<NonNullable<V1Container["volumeMounts"]>[number]>>
  readonly volumes: ReadonlyArray<Manifest<V1Volume>>
}

export const makeDeliveryJob = ({ build, builderImage, namespaceUid, node }: Delivered, way: Way) => {
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
          ...(way.serviceAccountName === undefined ? {} : { serviceAccountName: way.serviceAccountName }),
          containers: [
            {
              name: way.program,
              image: builderImage,
              args: [programPath(way.program)],
              env: way.env,
              securityContext: way.securityContext,
              volumeMounts: [{ name: "cache", mountPath: mountPaths.cache, readOnly: true }, ...way.volumeMounts]
            }
          ],
          volumes: [
            { name: "cache", hostPath: { path: `${hostPaths.volumes}/${namespaceUid}`, type: "Directory" } },
            ...way.volumes
          ]
        }
      }
    }
  })
}
