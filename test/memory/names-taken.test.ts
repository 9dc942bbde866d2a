/** Somebody else's object has the name that one of ours is to get: it is not taken for ours. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { kindNamed } from "../../lib/kubernetes/kind.ts"
import { NixBuild } from "../../lib/api/nixbuild.ts"
import { namespace, nixBuild, node } from "./given.ts"
import { play, round } from "./story.ts"

const given = [
  namespace("apps"),
  node("one"),
  nixBuild({ name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "good" })
]

const needed = ["PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy", "Job"]

const decodeBuild = Schema.decodeUnknownSync(NixBuild)

it.effect("a name that is taken stops the build there, and no longer than it is taken", () =>
  Effect.gen(function* () {
    const { state, writes } = yield* play({ given })
    let stories = 0
    for (const write of writes) {
      const [, kind = "", inNamespace = "", name = ""] = /^create (\w+)\/([^/]*)\/(.*)$/.exec(write) ?? []
      const apiVersion = kindNamed(kind)?.apiVersion
      if (apiVersion === undefined || !needed.includes(kind)) continue
      stories += 1
      const metadata = { name, ...(inNamespace === "" ? {} : { namespace: inNamespace }) }
      const foreign = { apiVersion, kind, metadata }
      const end = yield* play({
        given: [...given, foreign],
        excused: ["what nothing disturbs ends well", "no Job is made twice"],
        happens: (stage) =>
          Effect.gen(function* () {
            for (let rounds = 0; rounds < 8; rounds += 1) yield* round(stage)
            const build = yield* stage.api.objects.find({ kind: "NixBuild", namespace: "apps", name: "c" })
            const { status } = decodeBuild(build)
            assert.strictEqual(status?.status, name.includes("-import-") ? "Importing" : "Scheduled", write)
            yield* stage.api.objects.remove({ kind, ...metadata })
          }).pipe(Effect.orDie)
      })
      assert.deepStrictEqual(end.state, state, write)
    }
    assert.isAtLeast(stories, 5)
  })
)
