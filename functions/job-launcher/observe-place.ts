/** What there is on one node that wants the image: volume, build Job. */
import { Effect, Option, Schema, Struct } from "effect"
import {
  Job,
  Node,
  nodes,
  PersistentVolume,
  PersistentVolumeClaim,
  persistentVolumes,
  withoutImages
} from "../../lib/kubernetes/kinds.ts"
import { attemptOn, type NixBuild } from "../../lib/api/nixbuild.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { claimName, jobName, persistentVolumeName, volumeJobName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { observeWork } from "../../lib/nixbuild/observe-work.ts"
import { endedWell, isFinished, Work } from "../../lib/nixbuild/work.ts"
import { waitForSource } from "./source.ts"

const optional = Schema.optionalKey

/** What the API server makes of the build Pod in a dry run. */
export const Admission = Schema.Struct({
  /** Unclear: denied for the first time, which may pass. */
  outcome: Schema.Literals(["Admitted", "Denied", "FieldsDropped", "Unclear"]),
  message: Schema.String
})
export type Admission = typeof Admission.Type

export const Place = Schema.Struct({
  node: Node,
  volume: optional(PersistentVolume),
  claim: optional(PersistentVolumeClaim),
  volumeJob: optional(Job),
  /** The volume Job's Pod, and what Kubernetes says while it does not start. */
  volumeWait: optional(Schema.Struct(Struct.omit(Work.fields, ["job"]))),
  buildJob: optional(Job),
  /** What was built there is being imported: no build Job is needed any more. */
  importJob: optional(Job),
  /** Asked only when everything else is ready for the build Job. */
  admission: optional(Admission)
})
export type Place = typeof Place.Type

interface At {
  readonly build: NixBuild
  readonly namespaceUid: string
  readonly node: string
  readonly time: string
}

/** All claims of the namespace, read once for all nodes. */
export type Claims = Effect.Effect<ReadonlyArray<PersistentVolumeClaim>, KubernetesError>
/** The Jobs of the NixBuild, by name. */
export type Jobs = ReadonlyMap<string, Job>

interface Around {
  readonly claims: Claims
  readonly jobAt: Jobs
}

/** Nothing where the node is gone. Of the cache nothing is read once a Job is there. */
export const observePlace = Effect.fnUntraced(function* (at: At, { claims, jobAt }: Around) {
  const { build, node: name } = at
  const attempt = { build: build.metadata, node: name, attempt: attemptOn(build, name) }
  const cluster = yield* Cluster
  const node = yield* cluster.get(nodes, { name })
  if (Option.isNone(node)) return undefined
  const [buildJob, importJob] = [jobAt.get(jobName("build", attempt)), jobAt.get(jobName("import", attempt))]
  // What was begun needs no other volume.
  const isBegun = buildJob !== undefined || importJob !== undefined
  const { isPrepared, ...cache } = isBegun ? { isPrepared: false } : yield* observeCache(at, yield* claims)
  const place: Place = {
    node: withoutImages(node.value),
    ...cache,
    ...(buildJob === undefined ? {} : { buildJob }),
    ...(importJob === undefined ? {} : { importJob })
  }
  return { place, isReady: isPrepared && !isBegun && waitForSource(build, name) === undefined }
})

const observeCache = Effect.fnUntraced(function* (
  { namespaceUid, node: name, time }: At,
  claims: ReadonlyArray<PersistentVolumeClaim>
) {
  const cluster = yield* Cluster
  const volume = yield* cluster.get(persistentVolumes, { name: persistentVolumeName(namespaceUid, name) })
  const claim = claims.find(({ metadata }) => metadata.name === claimName(name))
  // Once the claim is there, so are the directories.
  const prepares = { namespace: systemNamespace, name: volumeJobName(namespaceUid, name) }
  const volumeWork = claim === undefined ? yield* observeWork({ ...prepares, isOpen: true, time }) : Option.none()
  return {
    isPrepared: claim !== undefined || Option.exists(volumeWork, endedWell),
    ...(Option.isSome(volume) ? { volume: volume.value } : {}),
    ...(claim === undefined ? {} : { claim }),
    ...(Option.isSome(volumeWork) ? inVolume(volumeWork.value) : {})
  }
})

const inVolume = ({ job, ...wait }: Work) => ({ volumeJob: job, ...(isFinished({ job }) ? {} : { volumeWait: wait }) })
