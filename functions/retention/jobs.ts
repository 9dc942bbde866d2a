/** Jobs that nobody needs: their NixBuild is gone, or it has gone on without them. */
import { Schema } from "effect"
import { type Action, referTo } from "../../lib/runtime/action.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { isFailed, isSucceeded, Job, jobs } from "../../lib/kubernetes/kinds.ts"
import { attemptOn, conditionsOf, NixBuild, wantedNodes } from "../../lib/api/nixbuild.ts"
import { nixBuildUidLabel } from "../../lib/api/annotations.ts"
import { jobName } from "../../lib/api/names.ts"

export const OwnedJob = Schema.Struct({
  job: Job,
  /** What is there under the name of the NixBuild that the Job is for; it may be another one. */
  build: Schema.optionalKey(NixBuild)
})
type OwnedJob = typeof OwnedJob.Type

export const removeJob = (owned: OwnedJob): ReadonlyArray<Action> => {
  const why = owned.job.metadata.deletionTimestamp === undefined ? superfluity(owned) : undefined
  return why === undefined ? [] : [{ action: "Delete", why, target: referTo(jobs, owned.job) }]
}

/**
 * Why the Job is not needed, if so:
 *
 * | the Job            | runs                | is over                            |
 * |--------------------|---------------------|------------------------------------|
 * | of no NixBuild     | stopped             | removed                            |
 * | of a past attempt  | stopped             | removed once the build is Complete |
 * | of this attempt    | needed              | is importer-status'                |
 */
const superfluity = ({ build, job }: OwnedJob): string | undefined => {
  const isOver = isSucceeded(job) || isFailed(job)
  if (build === undefined || isAnother(build, job)) return "Its NixBuild is gone"
  if (isCurrent(build, job)) return undefined
  // Such as that of a node that was lost: it must not go on when the node comes back.
  if (!isOver) return "Its NixBuild has gone on without it"
  return isTrue(conditionsOf(build), "Complete")
    ? "Its NixBuild is complete, and it told of an earlier attempt"
    : undefined
}

const isAnother = ({ metadata }: NixBuild, job: Job): boolean =>
  metadata.uid !== job.metadata.labels?.[nixBuildUidLabel] || metadata.deletionTimestamp !== undefined

const isCurrent = (build: NixBuild, { metadata }: Job): boolean =>
  wantedNodes(build).some((node) => {
    const attempt = { build: build.metadata, node, attempt: attemptOn(build, node) }
    return metadata.name === jobName("build", attempt) || metadata.name === jobName("import", attempt)
  })
