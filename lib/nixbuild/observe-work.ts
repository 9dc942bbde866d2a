/** Reads a Job of ours with its Pod, and where the Pod does not start, what Kubernetes says of it. */
import { Effect, Option } from "effect"
import { type Job, jobs, type Pod, type Report } from "../kubernetes/kinds.ts"
import { podsOf, reportsAbout } from "./object-questions.ts"
import { Cluster } from "../kubernetes/cluster.ts"
import { seenSince } from "../runtime/since.ts"
import { isFinished, isSlowToStart, type Work } from "./work.ts"

interface Named {
  readonly namespace: string | undefined
  readonly name: string
}

interface At {
  /** Whether its end is awaited; otherwise nothing is read past a cache. */
  readonly isOpen: boolean
  readonly time: string
}

export const observeWork = Effect.fnUntraced(function* ({ name, namespace, ...at }: At & Named) {
  const cluster = yield* Cluster
  const job = yield* cluster.get(jobs, { namespace, name })
  if (Option.isNone(job)) return Option.none()
  const [pod] = yield* cluster.list(podsOf(job.value))
  return Option.some(yield* observeStart({ ...at, job: job.value, pod }))
})

interface Seen extends At {
  readonly job: Job
  readonly pod: Pod | undefined
}

/** The work of a Job whose Pod was looked for. */
export const observeStart = Effect.fnUntraced(function* ({ isOpen, job, pod: seen, time }: Seen) {
  const cluster = yield* Cluster
  // Job and Pod come by different watches, and a Pod that is gone makes the Job a failed one.
  const isNews = seen === undefined && isOpen && isFinished({ job })
  const work = workOf(job, isNews ? (yield* cluster.listFresh(podsOf(job)))[0] : seen)
  if (!isOpen || isFinished(work) || !isSlowToStart(work, time)) return work
  // A Job that is about to be cancelled must not have started meanwhile.
  const [pod] = yield* cluster.listFresh(podsOf(job))
  const report = newest(yield* cluster.listFresh(reportsAbout((pod ?? job).metadata)))
  const waitingSince = yield* seenSince({ what: `waits ${job.metadata.uid}`, words: "" })
  return { ...workOf(job, pod), ...(report === undefined ? {} : { report }), waitingSince }
})

const workOf = (job: Job, pod: Pod | undefined): Work => ({ job, ...(pod === undefined ? {} : { pod }) })

const timeOf = ({ eventTime, lastTimestamp, metadata, series }: Report): string =>
  (series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "").slice(0, 19)

// Within a second, what goes well is what came last: the scheduler says why it can't, and then that it could.
const newest = (all: ReadonlyArray<Report>): Report | undefined =>
  all.toSorted(
    (a, b) => timeOf(b).localeCompare(timeOf(a)) || Number(a.type === "Warning") - Number(b.type === "Warning")
  )[0]
