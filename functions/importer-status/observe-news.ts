/** Which events are news, by what came with them: only to stop early, and the sweep finds what is missed. */
import { Option, Schema } from "effect"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { isSucceeded, type Job, jobs, Pod } from "../../lib/kubernetes/kinds.ts"
import {
  askedRetryOf,
  attemptOn,
  conditionsOf,
  type NixBuild,
  unsettledNodes,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import type { CloudEvent } from "../../lib/runtime/events.ts"
import { jobName } from "../../lib/api/names.ts"
import { hasEnded } from "../../lib/nixbuild/map-event.ts"
import { hasStarted, isOver, terminatedOf } from "../../lib/nixbuild/work.ts"

/** Whether a Job has nothing to tell that its Pod does not, or the sweep sees. */
export const tellsNothing = (job: Job): boolean => !hasEnded(job) && job.spec?.suspend !== true

/** Whether something may be to do about a NixBuild that no event of a Job or a Pod tells. */
export const isConcerned = (build: NixBuild): boolean => {
  const { buildNode, nodes: entries = [], observedGeneration } = build.status ?? {}
  return (
    buildNode !== undefined &&
    build.metadata.deletionTimestamp === undefined &&
    (observedGeneration !== build.metadata.generation ||
      askedRetryOf(build) !== undefined ||
      entries.some(({ importedTime }) => importedTime === undefined) ||
      wantedNodes(build).length > 1)
  )
}

/** What a NixBuild must say, or not say yet, for the event to be news; absent: it may be in any case. */
export const newsOf = ({ kind, name }: CloudEvent, object: unknown) => {
  if (kind === "Job" && Option.exists(readJob(object), isSucceeded)) return tellsOf(name)
  return kind === "Pod" && Option.exists(readPod(object), hasJustStarted) ? isHeldUp : undefined
}

const readJob = Schema.decodeUnknownOption(jobs.schema)
const readPod = Schema.decodeUnknownOption(Pod)

/** Nothing is told yet of this Job, which succeeded. */
const tellsOf = (job: string | undefined) => (build: NixBuild) =>
  unsettledNodes(build).some((node) => {
    const attempt = { build: build.metadata, node, attempt: attemptOn(build, node) }
    return (
      jobName("import", attempt) === job ||
      (jobName("build", attempt) === job && !isTrue(conditionsOf(build), "Success"))
    )
  })

const hasJustStarted = (pod: Pod): boolean => hasStarted(pod) && terminatedOf(pod) === undefined && !isOver(pod)

/** The status says of a node what keeps work there from beginning, so that it has begun is news. */
const isHeldUp = ({ status }: NixBuild): boolean =>
  (status?.nodes ?? []).some(({ message, waits }) => message !== undefined || waits !== undefined)
