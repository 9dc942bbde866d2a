/** Jobs of NixBuilds, each with what is there under the name of its NixBuild. */
import { Effect, Option } from "effect"
import { type Job, jobs } from "../../../lib/kubernetes/kinds.ts"
import { all } from "../../../lib/kubernetes/question.ts"
import { Cluster } from "../../../lib/kubernetes/cluster.ts"
import { nixBuildAnnotation, nixBuildUidLabel } from "../../../lib/api/annotations.ts"
import { confirm, type Look } from "../look.ts"
import { isTold, type OwnedJob, removeJob } from "./decide.ts"

/** Of the NixBuilds of a namespace, or of all. */
export const observeJobs = Effect.fnUntraced(function* (look: Look, namespace: string | undefined) {
  const cluster = yield* Cluster
  const owned = (yield* cluster.list(all(jobs))).flatMap(ownedJob)
  const ofThese = owned.filter(({ owner }) => namespace === undefined || owner.namespace === namespace)
  return yield* confirm(look, ofThese, { lookAt: observeJob, act: removeJob, isCertain: isTold })
})

interface Owned {
  readonly job: Job
  readonly owner: { readonly namespace: string; readonly name: string }
}

const ownedJob = (job: Job): ReadonlyArray<Owned> => {
  const [namespace, name] = job.metadata.annotations?.[nixBuildAnnotation]?.split("/") ?? []
  const isOurs = job.metadata.labels?.[nixBuildUidLabel] !== undefined
  return isOurs && namespace !== undefined && name !== undefined ? [{ job, owner: { namespace, name } }] : []
}

const observeJob = (look: Look, { job, owner }: Owned) =>
  Effect.map(
    look.build(owner),
    Option.match({ onNone: () => ({ job }), onSome: (build): OwnedJob => ({ job, build }) })
  )
