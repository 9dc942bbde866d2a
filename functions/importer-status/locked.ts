/**
 * What a build's Job says that the source is. The first report of the node
 * that builds decides, that of a failed attempt too, and stands in the status
 * before another node's Job is made; nothing but the source in the status
 * gives an image.
 */
import { Equal, Option, Schema } from "effect"
import { reasons } from "../../lib/api/reasons.ts"
import type { Failure, NixBuild } from "../../lib/api/nixbuild.ts"
import { BuildResult } from "../../lib/nixbuild/job-result.ts"
import { refusalOf, type Source, sourceOf } from "../../lib/nixbuild/source.ts"
import { terminatedOf, type Work } from "../../lib/nixbuild/work.ts"
import type { buildOutcome } from "./outcome.ts"

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(BuildResult))

const reportedBy = (work: Work | undefined): Source | undefined => {
  const { lockedInputs = [], lockedUrl } = Option.getOrUndefined(decode(terminatedOf(work?.pod)?.message)) ?? {}
  return lockedUrl === undefined ? undefined : { lockedUrl, lockedInputs }
}

/** What the status is to say of the source, if that is news: `work` is of the node that builds. */
export const sourceFields = (build: NixBuild, work: Work | undefined) => {
  const reported = reportedBy(work)
  if (reported === undefined || sourceOf(build) !== undefined || whyNot(build, reported) !== undefined) return {}
  const { lockedInputs, lockedUrl } = reported
  return { lockedUrl, ...(lockedInputs.length === 0 ? {} : { lockedInputs }) }
}

/** The outcome, which is a failure when the image is of another source than it may be. */
export const ofSource = (build: NixBuild, work: Work | undefined, outcome: ReturnType<typeof buildOutcome>) => {
  const reported = outcome._tag === "Succeeded" ? reportedBy(work) : undefined
  const why = reported === undefined ? undefined : whyNot(build, reported)
  if (why === undefined) return outcome
  const failure: Failure =
    sourceOf(build) !== undefined && isUntold(work)
      ? {
          reason: "Interrupted",
          message: `The functions were upgraded while Job ${work?.job.metadata.name} ran, which was not told the source: ${why}.`
        }
      : { reason: "SourceRefused", message: `${reasons.SourceRefused} ${why}.` }
  return { _tag: "Failed" as const, failure }
}

// Those of an earlier version looked for the source on each node, and had a deadline. The next attempt is told.
const isUntold = (work: Work | undefined): boolean => work?.job.spec?.activeDeadlineSeconds !== undefined

const whyNot = (build: NixBuild, reported: Source): string | undefined => {
  const decided = sourceOf(build)
  if (decided === undefined) return refusalOf(build.spec.flakeUrl, reported)
  return Equal.equals(decided, reported) ? undefined : `${reported.lockedUrl} is not ${decided.lockedUrl}`
}
