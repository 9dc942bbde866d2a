/**
 * Whatever may be superfluous, with what shows whether it is. A cache can be
 * behind, so what it calls superfluous is looked at once more past it; nothing
 * else costs a request.
 */
import { Effect, Option, Schema } from "effect"
import type { Action } from "../../lib/action.ts"
import type { Reference } from "../../lib/api/kind.ts"
import { type Job, jobs, type PersistentVolume, persistentVolumes } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/cluster.ts"
import { nixBuildAnnotation, nixBuildUidLabel } from "../../lib/keys.ts"
import type { KubernetesError } from "../../lib/kube/error.ts"
import { Refusal } from "../../lib/function.ts"
import { Settings } from "../../lib/settings.ts"
import { currentTime } from "../../lib/time.ts"
import { History } from "./history.ts"
import { OwnedJob, removeJob } from "./jobs.ts"
import { HeldTag } from "./leases.ts"
import { type Look, orNothing } from "./look.ts"
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

// Whether something is needed depends on much else, so every event leads to one look at everything.
const everything: Reference = { kind: "Cluster", name: "all" }

export const subjects = () => Effect.succeed([everything])

export const observe = Effect.fn("retention.observe")(function* () {
  const cluster = yield* Cluster
  const { builderImage, failedBuildsHistoryLimit, successfulBuildsHistoryLimit } = yield* Settings
  const time = yield* currentTime
  const owned = (yield* cluster.list(jobs)).flatMap(ownedJob)
  const volumes = (yield* cluster.list(persistentVolumes)).flatMap(placedVolume)
  const limits = { time, failedBuildsHistoryLimit, successfulBuildsHistoryLimit }
  const observed = {
    ...limits,
    builderImage,
    jobs: yield* confirm(owned, { lookAt: observeJob, act: removeJob }),
    finished: yield* orNothing(observeBuilds(limits)),
    tags: yield* observeTags(time),
    volumes: yield* confirm(volumes, { lookAt: observeVolume, act: (volume) => removeVolume(volume, builderImage) }),
    refusals: []
  }
  const { finished, jobs: found, tags, volumes: caches } = observed
  return [found, finished, tags, caches].every((all) => all.length === 0) ? Option.none() : Option.some(observed)
})

interface Candidacy<Candidate, Facts> {
  readonly lookAt: (look: Look, candidate: Candidate) => Effect.Effect<Facts, KubernetesError>
  readonly act: (facts: Facts) => ReadonlyArray<Action>
}

/** What the API server says of those on which we would act by the cache's word. */
const confirm = Effect.fnUntraced(function* <Candidate, Facts>(
  candidates: ReadonlyArray<Candidate>,
  { act, lookAt }: Candidacy<Candidate, Facts>
) {
  const cluster = yield* Cluster
  const past = { get: cluster.getFresh, list: cluster.listFresh }
  const found = yield* Effect.forEach(candidates, (candidate) =>
    lookAt(cluster, candidate).pipe(
      Effect.flatMap((facts) =>
        act(facts).length === 0 ? Effect.succeed([]) : Effect.map(lookAt(past, candidate), (facts) => [facts])
      ),
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

const observeJob = ({ get }: Look, { job, owner }: Owned) =>
  Effect.map(
    get(nixBuilds, owner),
    Option.match({ onNone: () => ({ job }), onSome: (build): typeof OwnedJob.Type => ({ job, build }) })
  )

const placedVolume = (volume: PersistentVolume) => {
  const place = placeOf(volume)
  return place === undefined ? [] : [{ volume, place }]
}
