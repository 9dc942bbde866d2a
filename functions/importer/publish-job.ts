/**
 * The Job that brings a built image into the image registry, in the place of
 * the import Job. It runs for the account whose token lets it push; it executes
 * nothing that the build made, and sees nothing of the node but the cache.
 */
import { confined } from "../../lib/nixbuild/job.ts"
import {
  mountPaths,
  programs,
  publishAccount,
  publishVariables,
  registryAudience,
  repositoryOf
} from "../../lib/nixbuild/job-contract.ts"
import { type Delivered, makeDeliveryJob } from "./delivery-job.ts"

interface Publication extends Delivered {
  readonly registryPublishUrl: string
}

// A layout can be read by everybody, so the Pod need be neither root nor who builds.
const nobody = 65_532

// The shortest that Kubernetes gives; kubelet renews it as long as the Pod runs.
const tokenSeconds = 600

export const makePublishJob = ({ registryPublishUrl, ...delivered }: Publication) => {
  const { metadata, spec } = delivered.build
  const token = { audience: registryAudience, expirationSeconds: tokenSeconds, path: "token" }
  return makeDeliveryJob(delivered, {
    program: programs.publish,
    serviceAccountName: publishAccount,
    env: [
      { name: publishVariables.uid, value: metadata.uid },
      { name: publishVariables.system, value: spec.system },
      { name: publishVariables.registryUrl, value: registryPublishUrl },
      { name: publishVariables.repository, value: repositoryOf(delivered.namespaceUid) },
      { name: publishVariables.tokenFile, value: `${mountPaths.registryToken}/token` }
    ],
    securityContext: { runAsNonRoot: true, runAsUser: nobody, runAsGroup: nobody, ...confined },
    volumeMounts: [{ name: "registry-token", mountPath: mountPaths.registryToken, readOnly: true }],
    volumes: [{ name: "registry-token", projected: { sources: [{ serviceAccountToken: token }] } }]
  })
}
