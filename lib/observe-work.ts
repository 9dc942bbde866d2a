/** Reads a Job of ours with its Pod, and where the Pod does not start, what Kubernetes says of it. */
import { Effect, Option } from "effect"
import { isFailed, isSucceeded, type Job, jobs, type Pod, type Report } from "./api/kubernetes.ts"
import { podsOf, reportsAbout } from "./api/kubernetes-questions.ts"
import { Cluster } from "./cluster.ts"
import { seenSince } from "./since.ts"
import { isFinished, isSlowToStart, type Work } from "./work.ts"

interface At {
  readonly namespace: string | undefined
  readonly name: string
  /** Whether somebody waits for its end; otherwise nothing is asked past a cache. */
  readonly isOpen: boolean
  readonly time: string
}

export const observeWork = Effect.fnUntraced(function* ({ isOpen, name, namespace, time }: At) {
  const cluster = yield* Cluster
  const job = yield* cluster.get(jobs, { namespace, name })
  if (Option.isNone(job)) return Option.none()
  const seen = yield* observePod(job.value, isOpen)
  const work = workOf(job.value, seen)
  if (!isOpen || isFinished(work) || !isSlowToStart(work, time)) return Option.some(work)
  // Whoever is to be called off must not have started meanwhile.
  const [pod] = yield* cluster.listFresh(podsOf(job.value))
  const report = newest(yield* cluster.listFresh(reportsAbout({ ...(pod ?? job.value).metadata, namespace })))
  const waitingSince = yield* seenSince({ what: `waits ${job.value.metadata.uid}`, words: "" })
  return Option.some({ ...workOf(job.value, pod), ...(report === undefined ? {} : { report }), waitingSince })
})

const observePod = Effect.fnUntraced(function* (job: Job, isOpen: boolean) {
  const cluster = yield* Cluster
  const [seen] = yield* cluster.list(podsOf(job))
  // Job and Pod come by different watches, and a Pod that is gone makes the Job a failed one.
  const isNews = isOpen && (isSucceeded(job) || isFailed(job))
  return seen === undefined && isNews ? (yield* cluster.listFresh(podsOf(job)))[0] : seen
})

const workOf = (job: Job, pod: Pod | undefined): Work => ({ job, ...(pod === undefined ? {} : { pod }) })

const timeOf = ({ eventTime, lastTimestamp, metadata, series }: Report): string =>
  (series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "").slice(0, 19)

// Within a second, what goes well is what came last: the scheduler says why it can't, and then that it could.
const newest = (all: ReadonlyArray<Report>): Report | undefined =>
  all.toSorted(
    (a, b) => timeOf(b).localeCompare(timeOf(a)) || Number(a.type === "Warning") - Number(b.type === "Warning")
  )[0]
