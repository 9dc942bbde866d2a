/**
 * What kstatus, the library of Flux, Argo CD, Helm 4 and `kubectl wait`'s kin,
 * makes of an object of a kind that it does not know: its rules, first match
 * first.
 *
 * | the object                                    | word        |
 * |-----------------------------------------------|-------------|
 * | is being deleted                              | Terminating |
 * | status.observedGeneration is not its own       | InProgress  |
 * | Reconciling is True                           | InProgress  |
 * | Stalled is True                               | Failed      |
 * | Ready is False or Unknown                     | InProgress  |
 * | anything else, also without status or Ready   | Current     |
 */
import { Schema } from "effect"

export type Word = "Terminating" | "InProgress" | "Failed" | "Current"

const Watched = Schema.Struct({
  metadata: Schema.Struct({
    generation: Schema.optionalKey(Schema.Int),
    deletionTimestamp: Schema.optionalKey(Schema.String)
  }),
  status: Schema.optionalKey(
    Schema.Struct({
      observedGeneration: Schema.optionalKey(Schema.Int),
      conditions: Schema.optionalKey(Schema.Array(Schema.Struct({ type: Schema.String, status: Schema.String })))
    })
  )
})
const read = Schema.decodeUnknownSync(Watched)

export const kstatusOf = (object: unknown): Word => {
  const { metadata, status = {} } = read(object)
  const is = (type: string) => status.conditions?.find((condition) => condition.type === type)?.status
  const { observedGeneration = metadata.generation } = status
  if (metadata.deletionTimestamp !== undefined) return "Terminating"
  if (observedGeneration !== metadata.generation) return "InProgress"
  if (is("Reconciling") === "True") return "InProgress"
  if (is("Stalled") === "True") return "Failed"
  return (is("Ready") ?? "True") === "True" ? "Current" : "InProgress"
}
