/**
 * Which source a build Job gets. The node that builds decides what it is; the
 * Jobs of other nodes, and all later attempts, are made when it stands in the
 * status, and get that.
 */
import { type Reason, reasons } from "../../lib/api/reasons.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import { buildVariables } from "../../lib/nixbuild/job-contract.ts"
import { isSourcePending, refusalOf, sourceOf } from "../../lib/nixbuild/source.ts"

interface Wait {
  readonly reason: Reason
  readonly message: string
}

/** Why no build Job may be made for the node yet, if so. */
export const waitForSource = (build: NixBuild, node: string): Wait | undefined => {
  if (isSourcePending(build, node)) {
    const { buildNode } = build.status ?? {}
    // It has its image, and said nothing of a source that others may be given.
    return isTrue(conditionsOf(build), "Success")
      ? {
          reason: "SourceRefused",
          message: `${reasons.SourceRefused} ${node} can't build what ${buildNode} has built.`
        }
      : { reason: "SourcePending", message: `${reasons.SourcePending} ${node} waits for ${buildNode}.` }
  }
  const source = sourceOf(build)
  const why = source === undefined ? undefined : refusalOf(build.spec.flakeUrl, source)
  return why === undefined ? undefined : { reason: "SourceRefused", message: `${reasons.SourceRefused} ${why}.` }
}

/** The source as the builder's environment, where it is decided. */
export const sourceVariables = (build: NixBuild) => {
  const source = sourceOf(build)
  return source === undefined
    ? []
    : [
        { name: buildVariables.lockedUrl, value: source.lockedUrl },
        { name: buildVariables.lockedInputs, value: JSON.stringify(source.lockedInputs) }
      ]
}
