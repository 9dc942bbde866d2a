/**
 * The recorded cluster in memory, as far as the functions observed it. The
 * objects that they created they have to create again, with the same uids;
 * everything else comes, changes and goes as it did.
 */
import { Effect } from "effect"
import { kindNamed } from "../../lib/kubernetes/kind.ts"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import { answerFrom, isWrite, type Receive } from "../../lib/memory/api-server.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { type Fields, isFields, makeObjects, type Stored } from "../../lib/memory/objects.ts"
import { historiesOfJob, jobUidLabel, type ObjectHistory } from "./object-histories.ts"
import type { SeenObject } from "./seen-objects.ts"

export const makeRecordedCluster = (recorded: ReadonlyArray<ObjectHistory>) => {
  const histories = [...recorded]
  const uids = Map.groupBy(histories, ({ at }) => keyOf(at))
  const objects = makeObjects({
    uidOf: (at, incarnation) => uids.get(keyOf(at))?.[incarnation - 1]?.uid ?? `made-again-${incarnation}-${keyOf(at)}`
  })
  const applied = new Map<ObjectHistory, SeenObject>()
  const writes: Array<string> = []
  const receive: Receive = (asked, answer) =>
    Effect.tap(answer, () =>
      Effect.sync(() => (isWrite(asked.verb) ? writes.push(`${asked.verb} ${keyOf(asked)}`) : undefined))
    )

  const advance = Effect.fnUntraced(function* (history: ObjectHistory, moment: number) {
    const there = objects.objects.get(keyOf(history.at))
    if (moment >= history.goneSince) {
      if (there?.metadata.uid === history.uid) yield* objects.remove(history.at)
      return
    }
    const object = history.versions.findLast(({ since }) => since <= moment)?.object
    if (object === undefined) return
    if (object === applied.get(history)) {
      // Functions observe no Pod that runs, so this is the last that they saw of one that started.
      const isLast = object === history.versions.at(-1)?.object
      const isWoken = there?.metadata.annotations?.[wokenAnnotation] !== undefined
      if (isLast && isWoken) yield* objects.patch({ ...history.at, subresource: "status" }, { status: running(object) })
      return
    }
    if (there === undefined) {
      // What the functions did not make yet has no state; and no Pod is there before its Job.
      if (history.isMade || applied.has(history) || !isOwnerThere(object)) return
      yield* objects.restore(asStored(history, object))
    } else if (there.metadata.uid === history.uid) {
      yield* objects.patch(history.at, changeOf(history, { there, object }))
      const status = statusOf(history, { there, object })
      if (status !== undefined) yield* objects.patch({ ...history.at, subresource: "status" }, { status })
    } else return
    applied.set(history, object)
  })

  const isOwnerThere = ({ metadata }: SeenObject): boolean => {
    const uid = metadata.labels?.[jobUidLabel]
    return uid === undefined || [...objects.objects.values()].some((object) => object.metadata.uid === uid)
  }

  return {
    objects,
    api: answerFrom(objects, receive),
    /** What the functions wrote. */
    writes,
    /** Jobs that there were more of, under one name, than when this was recorded. */
    duplicates: () =>
      objects.log.flatMap(({ incarnations, object: { kind, metadata }, verb }) => {
        const key = keyOf({ ...metadata, kind })
        return kind === "Job" && verb === "ADDED" && incarnations > Math.max(1, uids.get(key)?.length ?? 0) ? [key] : []
      }),
    /** Applies what everything else had done when this decision was recorded. */
    advanceTo: (moment: number) =>
      Effect.suspend(() => {
        for (const object of objects.objects.values()) {
          const isKnown = object.kind !== "Job" || histories.some(({ uid }) => uid === object.metadata.uid)
          if (!isKnown) histories.push(...historiesOfJob(object, histories))
        }
        return Effect.forEach(histories, (history) => advance(history, moment), { discard: true })
      })
  }
}

/** A NixBuild's status is the functions' own, beyond what it had when the recording began. */
const asStored = ({ versions: [first] }: ObjectHistory, { status: seen, ...object }: SeenObject): Stored => {
  const status = object.kind === "NixBuild" ? first?.object["status"] : seen
  return {
    ...object,
    ...(status === undefined ? {} : { status }),
    apiVersion: kindNamed(object.kind)?.apiVersion ?? "",
    metadata: { ...object.metadata, annotations: withoutOurs(object) }
  }
}

interface Versions {
  readonly there: Stored
  readonly object: SeenObject
}

const changeOf = ({ isMade }: ObjectHistory, { object, there }: Versions): Fields => {
  const { deletionTimestamp, labels } = object.metadata
  const metadata = {
    annotations: withoutOurs(object),
    ...(labels === undefined || isMade ? {} : { labels }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp })
  }
  const spec = object["spec"]
  if (!isFields(spec) || (isMade && object.kind !== "NixBuild")) return { metadata }
  // The functions add nodes to any NixBuild.
  const nodes = object.kind === "NixBuild" && isFields(there["spec"]) ? { nodes: there["spec"]["nodes"] } : {}
  return { metadata, spec: { ...spec, ...nodes } }
}

/** What is no longer in a status is taken out of it. */
const statusOf = ({ at }: ObjectHistory, { object, there }: Versions): Fields | undefined => {
  const [before, after] = [there["status"], object["status"]]
  if (at.kind === "NixBuild" || !isFields(after)) return undefined
  const gone = isFields(before) ? Object.keys(before).map((key) => [key, null] as const) : []
  return { ...Object.fromEntries(gone), ...after }
}

/** The status of a Pod all of whose containers run. */
const running = ({ status }: SeenObject): Fields => ({
  phase: "Running",
  ...Object.fromEntries(
    ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"].flatMap((field) => {
      const seen = isFields(status) ? status[field] : undefined
      return Array.isArray(seen) ? [[field, seen.map((container) => ({ ...container, state: { running: {} } }))]] : []
    })
  )
})

const withoutOurs = ({ metadata }: Pick<SeenObject, "metadata">): Readonly<Record<string, string>> => {
  const { [wokenAnnotation]: _, ...annotations } = metadata.annotations ?? {}
  return annotations
}
