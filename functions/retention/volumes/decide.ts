/** Cache volumes that nobody needs: their namespace or their node is gone, or the node was installed anew. */
import { Schema } from "effect"
import { type Action, referTo } from "../../../lib/runtime/action.ts"
import type { Kind } from "../../../lib/kubernetes/kind.ts"
import {
  isFailed,
  isOurs,
  isSucceeded,
  Job,
  jobs,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes
} from "../../../lib/kubernetes/kinds.ts"
import type { RestsOn } from "../../../lib/runtime/interpret.ts"
import { namespaceAnnotation, nodeAnnotation } from "../../../lib/api/annotations.ts"
import { namespaceUidIn, removalJobName } from "../../../lib/api/names.ts"
import { programs } from "../../../lib/nixbuild/job-contract.ts"
import { isOfFormerNode, makeVolumeProgramJob } from "../../../lib/nixbuild/cache-volume.ts"

const optional = Schema.optionalKey

export const CacheVolume = Schema.Struct({
  volume: PersistentVolume,
  /** What is there under the names that the volume gives; it may be another namespace, and another node. */
  namespace: optional(Namespace),
  node: optional(Node),
  claim: optional(PersistentVolumeClaim),
  volumeJob: optional(Job),
  removalJob: optional(Job),
  /** Unfinished build Jobs of that namespace on that node. */
  building: Schema.Array(Schema.String)
})
export type CacheVolume = typeof CacheVolume.Type

/** The namespace and the node that a volume of ours is for. */
export const placeOf = ({ metadata }: PersistentVolume) => {
  const node = metadata.annotations?.[nodeAnnotation]
  const namespace = metadata.annotations?.[namespaceAnnotation]
  const namespaceUid = node === undefined ? undefined : namespaceUidIn(metadata.name, node)
  return node === undefined || namespace === undefined || namespaceUid === undefined
    ? undefined
    : { namespace, namespaceUid, node }
}
export type Place = NonNullable<ReturnType<typeof placeOf>>

export const removeVolume = (cache: CacheVolume, builderImage: string): ReadonlyArray<Action> => {
  const { building, namespace, node, volume } = cache
  const place = placeOf(volume)
  if (place === undefined || volume.metadata.deletionTimestamp !== undefined) return []
  if (node === undefined) return forget(cache, place, `Node ${place.node} is gone`)
  if (namespace?.metadata.uid !== place.namespaceUid) return empty(cache, { builderImage, place })
  // The launcher begins nothing on such a volume, and what it began ends.
  return isOfFormerNode(volume, node) && building.length === 0
    ? forget(cache, place, `Node ${place.node} was installed anew`)
    : []
}

/** There is nothing on the node, or nothing is known of it: the objects go, so that new ones can be made. */
const forget = ({ claim, namespace, volume, volumeJob }: CacheVolume, place: Place, why: string) => {
  // A namespace that was made anew has its own claim, of the same name.
  const isItsClaim = namespace?.metadata.uid === place.namespaceUid
  return [
    // What it prepared is gone too.
    ...(volumeJob === undefined ? [] : remove(jobs, volumeJob, why)),
    ...(claim === undefined || !isItsClaim || !isOurs(claim) ? [] : remove(persistentVolumeClaims, claim, why)),
    // Last, since without it nobody would look at the others.
    ...remove(persistentVolumes, volume, why)
  ]
}

/** A volume goes when what is around it has gone, and what removed its directories after it. */
export const around = ({ volumes }: { readonly volumes: ReadonlyArray<CacheVolume> }): RestsOn => {
  const rests = new Map(
    volumes.flatMap(({ claim, removalJob, volume, volumeJob }): ReadonlyArray<readonly [string, Rests]> => {
      const refer = (kind: Rests[number]["kind"], object: Pick<PersistentVolume, "metadata"> | undefined): Rests =>
        object === undefined ? [] : [{ kind, ...object.metadata }]
      return [
        [volume.metadata.uid, [...refer("Job", volumeJob), ...refer("PersistentVolumeClaim", claim)]],
        ...(removalJob === undefined ? [] : [[removalJob.metadata.uid, refer("PersistentVolume", volume)] as const])
      ]
    })
  )
  return (action) => (action.action === "Create" ? [] : (rests.get(action.target.uid) ?? []))
}

type Rests = ReturnType<RestsOn>

interface Removal {
  readonly place: Place
  readonly builderImage: string
}

/** The directories go first: the volume is what tells of them. */
const empty = (
  { removalJob, volume, volumeJob }: CacheVolume,
  { builderImage, place }: Removal
): ReadonlyArray<Action> => {
  const { namespace, namespaceUid, node } = place
  // It would make anew what is being removed; the launcher starts no other one for a namespace that is gone.
  const isPreparing = volumeJob !== undefined && !isSucceeded(volumeJob) && !isFailed(volumeJob)
  if (removalJob === undefined) {
    return isPreparing
      ? []
      : [
          {
            action: "Create",
            why: `Namespace ${namespace} is gone`,
            object: makeVolumeProgramJob({
              name: removalJobName(namespaceUid, node),
              node,
              namespaceUid,
              builderImage,
              program: programs.removeVolume,
              // A cache can hold millions of files. If it fails, there is another try when its TTL has removed it.
              activeDeadlineSeconds: 3600,
              namespace
            })
          }
        ]
  }
  const why = "Its directories are removed"
  return isSucceeded(removalJob) ? [...remove(persistentVolumes, volume, why), ...remove(jobs, removalJob, why)] : []
}

const remove = (kind: Kind, object: Pick<PersistentVolume, "metadata">, why: string): ReadonlyArray<Action> =>
  object.metadata.deletionTimestamp === undefined ? [{ action: "Delete", why, target: referTo(kind, object) }] : []
