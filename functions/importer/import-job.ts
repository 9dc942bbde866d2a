/**
 * The Job that brings a built image into a node's containerd. It holds the
 * socket, which is as good as root on the node, so it runs in the system
 * namespace and executes nothing that the build made.
 */
import type { Node } from "../../lib/kubernetes/kinds.ts"
import { withContainerd } from "../../lib/nixbuild/job.ts"
import { importVariables, mountPaths, programs } from "../../lib/nixbuild/job-contract.ts"
import { type Delivered, makeDeliveryJob } from "./delivery-job.ts"
import type { Expected } from "./tag.ts"

export interface Import extends Omit<Delivered, "node"> {
  readonly node: Node
  /** The one image that may come under the tag, where others use it too. */
  readonly expected?: Expected
}

export const makeImportJob = ({ expected, node, ...delivered }: Import) => {
  const { metadata, spec } = delivered.build
  return makeDeliveryJob(
    { ...delivered, node: node.metadata.name },
    {
      ...withContainerd(node),
      program: programs.import,
      env: [
        { name: importVariables.imageTag, value: spec.imageTag },
        { name: importVariables.uid, value: metadata.uid },
        { name: importVariables.system, value: spec.system },
        { name: importVariables.socket, value: mountPaths.socket },
        ...(expected === undefined
          ? []
          : [
              { name: importVariables.expectedDigest, value: expected.digest },
              { name: importVariables.tagUse, value: expected.words }
            ])
      ]
    }
  )
}
