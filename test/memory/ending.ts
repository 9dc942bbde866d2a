/** What users and operators see when a story is over. Which of two nodes built first is not part of it. */
import { Schema } from "effect"
import { nixBuildUidLabel } from "../../lib/api/annotations.ts"
import { readJob } from "./job.ts"
import { kstatusOf } from "./kstatus.ts"
import type { Stored } from "../../lib/memory/objects.ts"

type All = ReadonlyMap<string, Stored>

/** One line for each object. */
export const stateOf = (objects: All): ReadonlyArray<string> => {
  const uids = new Set([...objects.values()].map(({ metadata }) => metadata.uid))
  const orphans = orphansIn(objects)
  const lines = [...objects.values()]
    // What prepared a volume or pulled an image goes by its TTL at the latest.
    .filter((object) => !orphans.includes(object) && !/^enbi-volume-|-pull-[0-9a-f]{10}/.test(object.metadata.name))
    .flatMap((object) => {
      const { involvedObject, reason = "" } = readSummary(object)
      if (involvedObject === undefined) return [summaryOf(object)]
      // What was said of an object that is gone stays for an hour, and nobody looks.
      return uids.has(involvedObject.uid) ? [`Event ${involvedObject.kind} ${involvedObject.name} ${reason}`] : []
    })
  return lines.toSorted()
}

/** Jobs whose NixBuild is gone, with their Pods. */
export const orphansIn = (objects: All): ReadonlyArray<Stored> => {
  const uids = new Set([...objects.values()].map(({ metadata }) => metadata.uid))
  return [...objects.values()].filter(({ metadata }) => {
    const uid = metadata.labels?.[nixBuildUidLabel]
    return uid !== undefined && !uids.has(uid)
  })
}

/** None is left: owner references take care of some, and retention of the others. */
export const straysIn = (objects: All): ReadonlyArray<string> =>
  orphansIn(objects)
    .filter(({ kind }) => kind === "Job")
    .map(({ metadata }) => metadata.name)

const Summary = Schema.Struct({
  spec: Schema.optionalKey(Schema.Struct({ nodes: Schema.optionalKey(Schema.Array(Schema.String)) })),
  reason: Schema.optionalKey(Schema.String),
  involvedObject: Schema.optionalKey(Schema.Struct({ kind: Schema.String, name: Schema.String, uid: Schema.String })),
  status: Schema.optionalKey(
    Schema.Struct({
      phase: Schema.optionalKey(Schema.String),
      status: Schema.optionalKey(Schema.String),
      observedGeneration: Schema.optionalKey(Schema.Int),
      failure: Schema.optionalKey(Schema.Struct({ reason: Schema.String })),
      conditions: Schema.optionalKey(
        Schema.Array(
          Schema.Struct({
            type: Schema.String,
            status: Schema.String,
            observedGeneration: Schema.optionalKey(Schema.Int)
          })
        )
      ),
      nodes: Schema.optionalKey(Schema.Array(Schema.Struct({ name: Schema.String, reason: Schema.String })))
    })
  )
})
const readSummary = Schema.decodeUnknownSync(Summary)

const summaryOf = (object: Stored): string => {
  const { spec, status } = readSummary(object)
  const wanted = (spec?.nodes ?? []).toSorted()
  const nodes = (status?.nodes ?? []).map((node) => `${node.name}:${node.reason}`).toSorted()
  const words = [status?.phase, status?.status, status?.failure?.reason, ...wanted, ...nodes]
  return [object.kind, nameOf(object), ...words.filter((word) => word !== undefined)].join(" ")
}

// The names of Jobs and their Pods are made of uids, which differ between an object and the one that replaced it.
const nameOf = (object: Stored): string => {
  const { annotations = {}, labels, name } = object.metadata
  const owner = annotations["enbi.hrzn.ee/nixbuild"]
  if (labels?.[nixBuildUidLabel] === undefined || owner === undefined) return name
  return object.kind === "Job" ? `${readJob(object).step} ${owner} ${readJob(object).node}` : `of ${owner}`
}

/** NixBuilds that are over, and who waits for any object still waits for them. */
export const awaitedIn = (objects: All): ReadonlyArray<string> =>
  [...objects.values()].flatMap((object) => {
    const word = object.kind === "NixBuild" ? readSummary(object).status?.status : undefined
    const said = kstatusOf(object)
    const isRight = word === "Failed" ? said === "Failed" : word !== "Succeeded" || said === "Current"
    return isRight ? [] : [`${object.metadata.name} ${word} ${said}`]
  })

/** NixBuilds of which a condition, or all, still speaks of an older generation. */
export const outdatedIn = (objects: All): ReadonlyArray<string> =>
  [...objects.values()]
    .filter(
      (object) =>
        object.kind === "NixBuild" &&
        [readSummary(object).status, ...(readSummary(object).status?.conditions ?? [])].some(
          (told) => told?.observedGeneration !== object.metadata.generation
        )
    )
    .map(({ metadata }) => metadata.name)
