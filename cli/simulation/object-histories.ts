/** The history of each object that the functions observed while a recording was made. */
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import type { At, Stored } from "../../lib/memory/objects.ts"
import { allWrites, type Recording } from "../recordings/recording.ts"
import { seenIn, type SeenObject } from "./seen-objects.ts"

/** Moments are the numbers of the recorded decisions. */
export interface ObjectHistory {
  readonly at: At
  readonly uid: string
  /** The functions created it. */
  readonly isMade: boolean
  /** In their order; each from the moment when the API server had it. */
  readonly versions: ReadonlyArray<{ readonly since: number; readonly object: SeenObject }>
  /** When it went without the functions having deleted it. */
  readonly goneSince: number
}

export const historiesOf = (
  recordings: ReadonlyArray<Recording>,
  functions: ReadonlyArray<EnbiFunction<unknown>>
): ReadonlyArray<ObjectHistory> => {
  const seen = recordings.map(({ record }) => {
    const definition = functions.find(({ name }) => name === record.function)
    return definition === undefined ? [] : seenIn(definition, record.observed)
  })
  const sinceOf = momentsOf(seen)
  const written = (verb: string) =>
    new Set(
      recordings.flatMap(({ record }) =>
        allWrites(record)
          .filter(({ action }) => action === verb)
          .map(keyOf)
      )
    )
  const [made, removed] = [written("Create"), written("Delete")]
  const deletions = recordings.flatMap(({ record: { event } }, moment) => {
    const { kind, name, namespace, type } = event
    return kind === undefined || name === undefined || !type.endsWith(".delete")
      ? []
      : [{ key: keyOf({ kind, name, namespace }), moment }]
  })
  const all = [...Map.groupBy(seen.flat(), identityOf).values()].flatMap((objects) => {
    const versions = inOrder(objects).map((object) => ({ since: sinceOf(object), object }))
    const [first] = versions
    if (first === undefined) return []
    const { kind, metadata } = first.object
    const { name, namespace, uid } = metadata
    const at = { kind, name, ...(namespace === undefined ? {} : { namespace }) }
    return [{ at, uid, isMade: made.has(keyOf(at)), versions }]
  })
  return all.map((history) => {
    const key = keyOf(history.at)
    const last = history.versions.at(-1)?.since ?? 0
    // Another object of that name cannot exist before this one is gone.
    const begins = all.filter(({ at }) => keyOf(at) === key).flatMap(({ versions: [first] }) => first?.since ?? [])
    const next = begins.filter((moment) => moment > last)
    const told = removed.has(key) ? [] : deletions.filter((deletion) => deletion.key === key && deletion.moment >= last)
    const goneSince = Math.min(...next, ...told.map(({ moment }) => moment))
    return { ...history, goneSince }
  })
}

/** A Job that the recording lacks behaves like the recorded Job of the same NixBuild and step. */
export const historiesOfJob = (
  { metadata }: Stored,
  histories: ReadonlyArray<ObjectHistory>
): ReadonlyArray<ObjectHistory> => {
  const { name, namespace, uid } = metadata
  const isOfSame = ({ at }: ObjectHistory) =>
    at.kind === "Job" && at.namespace === namespace && withoutHash(at.name) === withoutHash(name)
  const model = histories.findLast(isOfSame)
  if (model === undefined) return []
  const renamed = (pod: string) => pod.replace(model.at.name, name)
  const podOf = (pod: SeenObject): SeenObject => ({
    ...pod,
    metadata: {
      ...pod.metadata,
      name: renamed(pod.metadata.name),
      uid: `${uid} ${pod.metadata.uid}`,
      labels: { ...pod.metadata.labels, [jobNameLabel]: name, [jobUidLabel]: uid }
    }
  })
  const pods = histories.filter(({ versions: [first] }) => first !== undefined && jobOf(first.object) === model.at.name)
  return [
    { ...model, at: { ...model.at, name }, uid, isMade: true },
    ...pods.map((pod) => ({
      ...pod,
      at: { ...pod.at, name: renamed(pod.at.name) },
      uid: `${uid} ${pod.uid}`,
      versions: pod.versions.map(({ object, since }) => ({ since, object: podOf(object) }))
    }))
  ]
}

const jobNameLabel = "batch.kubernetes.io/job-name"
export const jobUidLabel = "batch.kubernetes.io/controller-uid"

/** The Job that a Pod is of. */
export const jobOf = ({ kind, metadata }: Pick<Stored, "kind" | "metadata">): string | undefined =>
  kind === "Pod" ? metadata.labels?.[jobNameLabel] : undefined

/** A Job's name without what it is made of besides its NixBuild and its step. */
export const withoutHash = (jobName: string): string => jobName.replace(/-[0-9a-f]{10}$/u, "")

const identityOf = ({ kind, metadata }: SeenObject): string => `${keyOf({ ...metadata, kind })} ${metadata.uid}`

const versionOf = ({ metadata }: SeenObject): string => metadata.resourceVersion

// They are etcd's, which counts all writes to all objects; Kubernetes promises since 1.35 that they can be compared.
const compare = (one: string, other: string): number =>
  one.length - other.length || (one < other ? -1 : one > other ? 1 : 0)

/** Each version once: a process that is behind sees what others saw before it. */
const inOrder = (all: ReadonlyArray<SeenObject>): ReadonlyArray<SeenObject> =>
  [...new Map(all.map((object) => [versionOf(object), object])).values()].toSorted((one, other) =>
    compare(versionOf(one), versionOf(other))
  )

/** Since when it was so: a function that saw any newer object could have seen it. */
const momentsOf = (seen: ReadonlyArray<ReadonlyArray<SeenObject>>) => {
  const steps: Array<{ readonly newest: string; readonly moment: number }> = []
  for (const [moment, objects] of seen.entries()) {
    for (const version of objects.map(versionOf)) {
      if (compare(version, steps.at(-1)?.newest ?? "") > 0) steps.push({ newest: version, moment })
    }
  }
  return (object: SeenObject): number =>
    steps.find(({ newest }) => compare(newest, versionOf(object)) >= 0)?.moment ?? 0
}
