/** What there is around each cache volume. */
import { Effect, Option } from "effect"
import {
  isFailed,
  isSucceeded,
  jobs,
  type PersistentVolume,
  persistentVolumeClaims,
  persistentVolumes,
  withoutImages
} from "../../../lib/kubernetes/kinds.ts"
import { all } from "../../../lib/kubernetes/question.ts"
import { Cluster } from "../../../lib/kubernetes/cluster.ts"
import { jobsIn } from "../../../lib/nixbuild/object-questions.ts"
import { attemptOn } from "../../../lib/api/nixbuild.ts"
import { buildsIn } from "../../../lib/nixbuild/questions.ts"
import { claimName, jobName, removalJobName, volumeJobName } from "../../../lib/api/names.ts"
import { systemNamespace } from "../../../lib/kubernetes/system-namespace.ts"
import { isOfFormerNode } from "../../../lib/nixbuild/cache-volume.ts"
import { confirm, type Look } from "../look.ts"
import { type CacheVolume, type Place, placeOf, removeVolume } from "./decide.ts"

interface PlacedVolume {
  readonly volume: PersistentVolume
  readonly place: Place
}

/** Those that something is to be done about. */
export const observeVolumes = Effect.fnUntraced(function* (look: Look, builderImage: string) {
  const cluster = yield* Cluster
  const volumes = (yield* cluster.list(all(persistentVolumes))).flatMap(placedVolume)
  return yield* confirm(look, volumes, {
    lookAt: observeVolume,
    act: (volume) => removeVolume(volume, builderImage),
    isCertain: () => false
  })
})

const placedVolume = (volume: PersistentVolume) => {
  const place = placeOf(volume)
  return place === undefined ? [] : [{ volume, place }]
}

const observeVolume = Effect.fnUntraced(function* (look: Look, { place, volume }: PlacedVolume) {
  const { namespace: name, namespaceUid, node: nodeName } = place
  const namespace = yield* look.namespace({ name })
  const node = Option.map(yield* look.node({ name: nodeName }), withoutImages)
  const isFormer = Option.exists(node, (found) => isOfFormerNode(volume, found))
  const isWhole =
    Option.isSome(node) && !isFormer && Option.exists(namespace, ({ metadata }) => metadata.uid === namespaceUid)
  const around = {
    volume,
    ...(Option.isSome(namespace) ? { namespace: namespace.value } : {}),
    ...(Option.isSome(node) ? { node: node.value } : {})
  }
  if (isWhole) return { ...around, building: [] } satisfies CacheVolume
  const claim = yield* look.get(persistentVolumeClaims, { namespace: name, name: claimName(nodeName) })
  const prepares = { namespace: systemNamespace, name: volumeJobName(namespaceUid, nodeName) }
  const volumeJob = yield* look.get(jobs, prepares)
  const removes = { namespace: systemNamespace, name: removalJobName(namespaceUid, nodeName) }
  const removalJob = yield* look.get(jobs, removes)
  const facts: CacheVolume = {
    ...around,
    ...(Option.isSome(claim) ? { claim: claim.value } : {}),
    ...(Option.isSome(volumeJob) ? { volumeJob: volumeJob.value } : {}),
    ...(Option.isSome(removalJob) ? { removalJob: removalJob.value } : {}),
    building: isFormer ? yield* buildingAt(look, place) : []
  }
  return facts
})

/** A Job names its node only in its affinity, but also by its name. */
const buildingAt = Effect.fnUntraced(function* (look: Look, { namespace, node }: Place) {
  const builds = yield* look.list(buildsIn(namespace))
  const names = new Set(
    builds.map((build) => jobName("build", { build: build.metadata, node, attempt: attemptOn(build, node) }))
  )
  return (yield* look.list(jobsIn(namespace)))
    .filter((job) => names.has(job.metadata.name) && !isSucceeded(job) && !isFailed(job))
    .map(({ metadata }) => metadata.name)
})
