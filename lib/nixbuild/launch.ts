/** How far the build of a NixBuild is, as its status tells. */
import { isTrue } from "../kubernetes/condition.ts"
import { attemptOn, conditionsOf, type NixBuild, nodeStatusOf, wantedNodes } from "../api/nixbuild.ts"
import { jobName } from "../api/names.ts"

/** The build Job of the one node that wants the image is there, and nothing keeps it. */
export const isBegun = (build: NixBuild): boolean => {
  const { buildJobName, buildNode = "" } = build.status ?? {}
  const attempt = { build: build.metadata, node: buildNode, attempt: attemptOn(build, buildNode) }
  return (
    isTrue(conditionsOf(build), "Launched") &&
    buildJobName === jobName("build", attempt) &&
    wantedNodes(build).length === 1 &&
    nodeStatusOf(build, buildNode) === undefined
  )
}
