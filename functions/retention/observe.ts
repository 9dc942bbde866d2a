/**
 * Whatever may be superfluous, with what shows whether it is. A cache can be
 * behind, so what it calls superfluous is looked at once more past it; nothing
 * else costs a request.
 */
import { Effect, Option, Schema } from "effect"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import { type CloudEvent, isSweep } from "../../lib/runtime/events.ts"
import { Refusals } from "../../lib/runtime/function.ts"
import { Settings } from "../../lib/api/settings.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { History } from "./builds/decide.ts"
import { observeBuilds } from "./builds/observe.ts"
import { OwnedJob } from "./jobs/decide.ts"
import { observeJobs } from "./jobs/observe.ts"
import { makeLook, orNothing } from "./look.ts"
import { HeldTag } from "./tags/decide.ts"
import { observeTags } from "./tags/observe.ts"
import { CacheVolume } from "./volumes/decide.ts"
import { observeVolumes } from "./volumes/observe.ts"

export const Observed = Schema.Struct({
  ...History.fields,
  builderImage: Schema.String,
  jobs: Schema.Array(OwnedJob),
  tags: Schema.Array(HeldTag),
  volumes: Schema.Array(CacheVolume),
  /** What the API server has against objects that were to be written. */
  refusals: Refusals
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
export const mapEvent = (event: CloudEvent) => Effect.succeed([subjectOf(event)])

const subjectOf = (event: CloudEvent): Reference => {
  if (isSweep(event)) return everything
  return event.kind === "NixBuild" ? { kind: "Namespace", name: event.namespace ?? "" } : allVolumes
}

/** It is over, or about to go. */
export const mayLeaveSomething = (build: NixBuild): boolean =>
  build.metadata.deletionTimestamp !== undefined || isTrue(conditionsOf(build), "Complete")

export const observe = Effect.fn("retention.observe")(function* (subject: Reference = everything) {
  const only = subject.kind === "Namespace" ? subject.name : undefined
  const [isOfBuilds, isOfVolumes] = [subject.kind !== allVolumes.kind, only === undefined]
  const look = yield* makeLook(only)
  const { builderImage, failedBuildsHistoryLimit, successfulBuildsHistoryLimit } = yield* Settings
  const time = yield* currentTime
  const limits = { time, failedBuildsHistoryLimit, successfulBuildsHistoryLimit }
  const observed = {
    ...limits,
    builderImage,
    jobs: isOfBuilds ? yield* observeJobs(look, only) : [],
    finished: isOfBuilds ? yield* orNothing(observeBuilds(look, limits)) : [],
    tags: isOfBuilds && isOfVolumes ? yield* observeTags(look, time) : [],
    volumes: isOfVolumes ? yield* observeVolumes(look, builderImage) : [],
    refusals: []
  }
  const { finished, jobs: found, tags, volumes: caches } = observed
  return [found, finished, tags, caches].every((some) => some.length === 0) ? Option.none() : Option.some(observed)
})
