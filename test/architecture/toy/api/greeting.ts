/** A kind that lives in the tests alone: of another group than NixBuild, with `data` in place of `spec`. */
import { Schema } from "effect"
import { defineKind, ObjectMeta } from "../../../../lib/kubernetes/kind.ts"
import { makeConditionSchema } from "../../../../lib/kubernetes/condition.ts"
import { makeStatusWriter } from "../../../../lib/runtime/status-writer.ts"

const ConditionType = Schema.Literals(["Greeted"])
const Reason = Schema.Literals(["Said"])

const Status = Schema.Struct({
  observedGeneration: Schema.optionalKey(Schema.Int),
  words: Schema.optionalKey(Schema.String.annotate({ description: "What was said." })),
  conditions: Schema.optionalKey(Schema.Array(makeConditionSchema({ type: ConditionType, reason: Reason })))
})

export const Greeting = Schema.Struct({
  metadata: ObjectMeta,
  data: Schema.Struct({
    to: Schema.String.check(Schema.isMinLength(1)).annotate({ description: "Who is greeted." })
  }).annotate({ description: "Who is greeted, and how." }),
  status: Schema.optionalKey(Status)
}).annotate({ description: "A greeting." })
export type Greeting = typeof Greeting.Type

export const greetings = defineKind<Greeting>({
  apiVersion: "toys.example.org/v1",
  kind: "Greeting",
  plural: "greetings",
  namespaced: true,
  schema: Greeting,
  custom: {
    singular: "greeting",
    shortNames: ["gr"],
    columns: [{ name: "Words", type: "string", jsonPath: ".status.words" }]
  }
})

export const patchStatus = makeStatusWriter<
  Greeting,
  typeof ConditionType.Type,
  typeof Reason.Type,
  typeof Status.Type
>({ kind: greetings, summarize: () => ({ conditions: [], fields: () => ({}) }) })
