/**
 * Our Schemas against Knative Eventing's own webhook, which was asked about
 * each of these specs (knative/eventing after 1.22.2, kubectl's strict field
 * validation): they agree on all that use our fields, and refuse the others.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { canBuild, built } from "./built.ts"
import { fieldsOf } from "./fields.ts"
import { isTaken, nameOf } from "./manifest.ts"

const Row = Schema.fromJsonString(
  Schema.Struct({ case: Schema.NonEmptyString, accepted: Schema.Boolean, object: Schema.Unknown })
)

const ours = new Set(
  [...built.eventing, ...built["examples/big-cluster"]].flatMap((object) =>
    fieldsOf(object).map((field) => `${nameOf(object)} ${field}`)
  )
)

it.effect.skipIf(!canBuild)(
  "what uses our fields is taken and refused as the webhook does; nothing else is taken",
  () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const lines = (yield* files.readFileString("test/manifests/webhook.jsonl")).trim().split("\n")
      const rows = yield* Effect.forEach(lines, (line) => Schema.decodeUnknownEffect(Row)(line))
      let inOurFields = 0
      for (const { accepted, case: name, object } of rows) {
        const isOurs = fieldsOf(object).every((field) => ours.has(`${nameOf(object)} ${field}`))
        if (isOurs) inOurFields += 1
        assert.strictEqual(isTaken(object), accepted && isOurs, name)
      }
      assert.isAbove(inOurFields, 40)
    }).pipe(Effect.provide(NodeServices.layer))
)
