/** Jobs that nobody needs: their NixBuild is gone, has gone on without them, or tells what came of them. */
import { Schema } from "effect"
import { type Action, referTo } from "../../../lib/runtime/action.ts"
import { isTrue } from "../../../lib/kubernetes/condition.ts"
import { isFailed, isSucceeded, Job, jobs } from "../../../lib/kubernetes/kinds.ts"
import { attemptOn, conditionsOf, NixBuild, nodeStatusOf, wantedNodes } from "../../../lib/api/nixbuild.ts"
import { nixBuildUidLabel } from "../../../lib/api/annotations.ts"
import { jobName } from "../../../lib/api/names.ts"

export const OwnedJob = Schema.Struct({
  job: Job,
  /** What is there under the name of the NixBuild that the Job is for; it may be another one. */
  build: Schema.optionalKey(NixBuild)
})
export type OwnedJob = typeof OwnedJob.Type

export const removeJob = (owned: OwnedJob): ReadonlyArray<Action> => {
  const why = owned.job.metadata.deletionTimestamp === undefined ? superfluity(owned) : undefined
  return why === undefined ? [] : [{ action: "Delete", why, target: referTo(jobs, owned.job) }]
}

const told = "It succeeded and its outcome is told"

/** Nothing takes that back, so it is true by an old copy of the NixBuild too. */
export const isTold = (owned: OwnedJob): boolean => superfluity(owned) === told

/**
 * Why the Job is not needed, if so:
 *
 * | the Job                                      | runs    | is over                            |
 * |----------------------------------------------|---------|------------------------------------|
 * | of no NixBuild                               | stopped | removed                            |
 * | of a past attempt                            | stopped | removed once the build is Complete |
 * | of this attempt, and its node has the image  | stopped | removed                            |
 * | of this attempt, and it has not              | needed  | kept for reading                   |
 *
 * A Job is the only witness until the status tells what came of it; then what
 * still runs in its Pod is others' containers.
 */
const superfluity = ({ build, job }: OwnedJob): string | undefined => {
  const isOver = isSucceeded(job) || isFailed(job)
  if (build === undefined || isAnother(build, job)) return "Its NixBuild is gone"
  const node = nodeOf(build, job)
  if (node !== undefined) {
    return nodeStatusOf(build, node)?.importedTime === undefined ? undefined : told
  }
  // Such as that of a node that was lost: it must not go on when the node comes back.
  if (!isOver) return "Its NixBuild has gone on without it"
  return isTrue(conditionsOf(build), "Complete")
    ? "Its NixBuild is complete, and it told of an earlier attempt"
    : undefined
}

const isAnother = ({ metadata }: NixBuild, job: Job): boolean =>
  metadata.uid !== job.metadata.labels?.[nixBuildUidLabel] || metadata.deletionTimestamp !== undefined

/** The node whose attempt it is for, if that is still under way or was the last. */
const nodeOf = (build: NixBuild, { metadata }: Job): string | undefined =>
  wantedNodes(build).find((node) => {
    const attempt = { build: build.metadata, node, attempt: attemptOn(build, node) }
    return metadata.name === jobName("build", attempt) || metadata.name === jobName("import", attempt)
  })
