/** Until there was `importer`, what kept an import from beginning stood in `Launched` too: such a NixBuild goes on. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { conditionOf } from "../../lib/kubernetes/condition.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { namespace, nixBuild, node } from "../memory/given.ts"
import { play, round, type Stage } from "../memory/story.ts"

const image = "reg.io/web:1"
const at = { kind: "NixBuild", namespace: "apps", name: "web" }
const lease = { kind: "Lease", namespace: systemNamespace, name: tagLeaseName(image) }

const statusIn = ({ api }: Stage) =>
  Effect.map(Effect.orDie(api.objects.find(at)), (found) => {
    const { status = {} } = Schema.decodeUnknownSync(nixBuilds.schema)(found)
    return status
  })

/** Its image is built, and then the tag is another namespace's. */
const untilRefused = Effect.fnUntraced(function* (stage: Stage) {
  const { objects } = stage.api
  const status = () => JSON.stringify(objects.objects.get("NixBuild/apps/web")?.["status"])
  while (!status().includes('"buildJobName"')) yield* round(stage)
  yield* Effect.orDie(objects.patch(lease, { metadata: { labels: { "enbi.hrzn.ee/held-by": "others" } } }))
  for (let rounds = 0; !status().includes("TagConflict"); rounds += 1) {
    assert.isBelow(rounds, 10, status())
    yield* round(stage)
  }
})

it.effect("Launched=False with TagConflict becomes True, and the image comes when the tag is free", () =>
  Effect.gen(function* () {
    const { state } = yield* play({
      given: [
        namespace("apps"),
        namespace("others"),
        node("one"),
        nixBuild({ name: "web", nodes: ["one"], image, packageName: "good" })
      ],
      happens: (stage) =>
        Effect.gen(function* () {
          const { objects } = stage.api
          yield* untilRefused(stage)
          const refused = yield* statusIn(stage)
          const entry = refused.nodes?.[0]
          assert.strictEqual(entry?.reason, "TagConflict")
          const isReady = conditionOf(refused.conditions ?? [], "Ready")
          assert.deepStrictEqual([isReady?.status, isReady?.message], ["False", entry?.message])
          // As the version before left it.
          const conditions = (refused.conditions ?? []).map((condition) =>
            condition.type === "Launched"
              ? { ...condition, status: "False", reason: "TagConflict", message: entry?.message }
              : condition
          )
          yield* Effect.orDie(objects.patch({ ...at, subresource: "status" }, { status: { conditions } }))
          yield* round(stage)
          const launched = conditionOf((yield* statusIn(stage)).conditions ?? [], "Launched")
          assert.deepStrictEqual([launched?.status, launched?.reason], ["True", "JobCreated"])
          yield* Effect.orDie(objects.remove(lease))
        })
    })
    assert.include(state, "NixBuild web Succeeded one one:ImagePulled")
  })
)
