/**
 * The final state as people see it, to compare two runs. Which node built is
 * not part of it: the scheduler may choose any that is free.
 */
import { Schema } from "effect"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import type { Stored } from "../../lib/memory/objects.ts"
import { jobOf, withoutHash } from "./object-histories.ts"
import { nameOf } from "../output.ts"

/** A line for each NixBuild, for each Pod that asks for an image, and for each Job that was kept. */
export const finalStateOf = (objects: ReadonlyMap<string, Stored>): string =>
  [...objects.values()]
    .flatMap(linesOf)
    .toSorted()
    .map((line) => `${line}\n`)
    .join("")

const Seen = Schema.Struct({
  status: Schema.optionalKey(
    Schema.Struct({
      status: Schema.optionalKey(Schema.String),
      failure: Schema.optionalKey(Schema.Struct({ reason: Schema.String })),
      nodes: Schema.optionalKey(Schema.Array(Schema.Struct({ reason: Schema.String })))
    })
  )
})
const readSeen = Schema.decodeUnknownSync(Seen)

const linesOf = (object: Stored): ReadonlyArray<string> => {
  const { kind, metadata } = object
  const name = nameOf({ kind, ...metadata })
  if (kind === "Pod" && jobOf(object) === undefined) {
    return [metadata.annotations?.[wokenAnnotation] === undefined ? `${name}: waits` : `${name}: woken`]
  }
  // The volumes are on the nodes that built.
  if (kind === "Job" && withoutHash(metadata.name) !== "enbi-volume") return [withoutHash(name)]
  if (kind !== "NixBuild") return []
  const { failure, nodes = [], status = "not looked at" } = readSeen(object).status ?? {}
  const reasons = nodes.map(({ reason }) => reason).toSorted()
  return [`${name}: ${[status, ...(failure === undefined ? [] : [failure.reason]), ...reasons].join(", ")}`]
}
