/**
 * Whatever may be superfluous, with what shows whether it is. A cache can be
 * behind, so what it calls superfluous is looked at once more past it; nothing
 * else costs a request.
 */
import { Effect, Option, Schema } from "effect"
import type { Action } from "../../lib/runtime/action.ts"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { type Job, jobs, type PersistentVolume, persistentVolumes } from "../../lib/kubernetes/kinds.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { nixBuildAnnotation, nixBuildUidLabel } from "../../lib/api/annotations.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusal } from "../../lib/runtime/function.ts"
import { Settings } from "../../lib/api/settings.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { History } from "./history.ts"
import { isTold, OwnedJob, removeJob } from "./jobs.ts"
import { HeldTag } from "./leases.ts"
import { type Look, lookPast, makeLook, orNothing } from "./look.ts"
import { observeBuilds } from "./observe-builds.ts"
import { observeTags } from "./observe-tags.ts"
import { observeVolume } from "./observe-volume.ts"
import { CacheVolume, placeOf, removeVolume } from "./volumes.ts"

export const Observed = Schema.Struct({
  ...History.fields,
  builderImage: Schema.String,
  jobs: Schema.Array(OwnedJob),
  tags: Schema.Array(HeldTag),
  volumes: Schema.Array(CacheVolume),
  /** What the API server has against objects that were to be written. */
  refusals: Schema.Array(Refusal).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
})

const everything: Reference = { kind: "Cluster", name: "all" }
const allVolumes: Reference = { kind: "PersistentVolume", name: "all" }

/**
 * Whether something is needed depends on much else, so one look is at many objects:
 *
 * | event               | the look is at                                     |
 * |---------------------|----------------------------------------------------|
 * | of a NixBuild       | the NixBuilds of its namespace, and their Jobs     |
 * | of a Namespace, Job | the cache volumes                                  |
 * | sweep               | all that there is                                  |
 */
export const subjects = (event: CloudEvent) => Effect.succeed([subjectOf(event)])

const subjectOf = (event: CloudEvent): Reference => {
  if (isSweep(event)) return everything
  return event.kind === "NixBuild" ? { kind: "Namespace", name: event.namespace ?? "" } : allVolumes
}

/** It is over, or about to go. */
export const mayLeaveSomething = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp !== undefined || isTrue(conditionsOf(build), "Complete")

export const observe = Effect.fn("retention.observe")(function* (subject: Reference = everything) {
  const cluster = yield* Cluster
  const only = subject.kind === "Namespace" ? subject.name : undefined
  const [isOfBuilds, isOfVolumes] = [subject.kind !== allVolumes.kind, only === undefined]
  const look = yield* makeLook(only)
  const { builderImage, failedBuildsHistoryLimit, successfulBuildsHistoryLimit } = yield* Settings
  const time = yield* currentTime
  const owned = isOfBuilds ? (yield* cluster.list(all(jobs))).flatMap(ownedJob) : []
  const ofThese = owned.filter(({ owner }) => only === undefined || owner.namespace === only)
  const volumes = isOfVolumes ? (yield* cluster.list(all(persistentVolumes))).flatMap(placedVolume) : []
  const limits = { time, failedBuildsHistoryLimit, successfulBuildsHistoryLimit }
  const observed = {
    ...limits,
    builderImage,
    jobs: yield* confirm(look, ofThese, { lookAt: observeJob, act: removeJob, isCertain: isTold }),
    finished: isOfBuilds ? yield* orNothing(observeBuilds(look, limits)) : [],
    tags: isOfBuilds && isOfVolumes ? yield* observeTags(look, time) : [],
    volumes: yield* confirm(look, volumes, {
      lookAt: observeVolume,
      act: (volume) => removeVolume(volume, builderImage),
      isCertain: () => false
    }),
    refusals: []
  }
  const { finished, jobs: found, tags, volumes: caches } = observed
  return [found, finished, tags, caches].every((all) => all.length === 0) ? Option.none() : Option.some(observed)
})

interface Candidacy<Candidate, Facts> {
  readonly lookAt: (look: Look, candidate: Candidate) => Effect.Effect<Facts, KubernetesError>
  readonly act: (facts: Facts) => ReadonlyArray<Action>
  /** However far the cache is behind. */
  readonly isCertain: (facts: Facts) => boolean
}

/** What the API server says of those on which we would act by the cache's word. */
const confirm = Effect.fnUntraced(function* <Candidate, Facts>(
  look: Look,
  candidates: ReadonlyArray<Candidate>,
  { act, isCertain, lookAt }: Candidacy<Candidate, Facts>
) {
  const past = yield* lookPast
  const found = yield* Effect.forEach(candidates, (candidate) =>
    lookAt(look, candidate).pipe(
      Effect.flatMap((facts) => {
        if (act(facts).length === 0) return Effect.succeed([])
        return isCertain(facts) ? Effect.succeed([facts]) : Effect.map(lookAt(past, candidate), (facts) => [facts])
      }),
      orNothing
    )
  )
  return found.flat()
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
    Option.match({ onNone: () => ({ job }), onSome: (build): typeof OwnedJob.Type => ({ job, build }) })
  )

const placedVolume = (volume: PersistentVolume) => {
  const place = placeOf(volume)
  return place === undefined ? [] : [{ volume, place }]
}
