/** What the Jobs of a NixBuild have in common: whose they are, and on which node they run. */
import { managedBy } from "../../lib/api/kubernetes.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { nixBuildAnnotation, nixBuildUidLabel } from "../../lib/keys.ts"

export const metadataFor = (
  build: NixBuild,
  at: { readonly name: string; readonly namespace: string | undefined }
) => ({
  ...at,
  labels: { ...managedBy, [nixBuildUidLabel]: build.metadata.uid },
  annotations: { [nixBuildAnnotation]: `${build.metadata.namespace}/${build.metadata.name}` }
})

/** Binds to the node by its name, which unlike its hostname label nobody can change. */
export const onNode = (node: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }]
      }
    }
  }
})
