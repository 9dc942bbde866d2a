/** An object that others change again and again: nobody else's waits for it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import type { At } from "../../lib/memory/objects.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { namespace, nixBuild, node } from "./given.ts"
import { play, round, type Stage } from "./story.ts"

const build = (name: string, more: { readonly namespace?: string; readonly image?: string } = {}) =>
  nixBuild({ name, nodes: ["one"], image: `reg.io/${name}:1`, packageName: "good", ...more })

const statusOf = ({ api: { objects } }: Stage, name: string) =>
  JSON.stringify(objects.objects.get(keyOf({ kind: "NixBuild", namespace: "apps", name })))

/** Somebody changes the object just before each of our writes to it. */
const disturb = ({ api: { fate, objects } }: Stage, { at, path }: { readonly at: At; readonly path: string }) => {
  fate.before = ({ request, what }) =>
    what === path
      ? Effect.orDie(objects.patch(at, { metadata: { labels: { "example.com/touched": String(request) } } }))
      : Effect.void
}

const names = Array.from({ length: 40 }, (_, index) => `b-${index}`)
const given = [namespace("apps"), namespace("other"), node("one"), ...names.map((name) => build(name))]
// A look whose object is changed all the time ends in vain, and nothing that the story knows of disturbs it.
const many = { given, replicas: [{ maxBuildsPerNode: 100 }], excused: ["what nothing disturbs ends well"] } as const

describe("one of forty NixBuilds is changed before each write to it", () => {
  it.effect("the others get their slots in the same look, each by one write, and it gets its own when that ends", () =>
    play({
      ...many,
      happens: (stage) =>
        Effect.gen(function* () {
          const { api, first } = stage
          const path = "patch NixBuild/apps/b-3/status"
          disturb(stage, { path, at: { kind: "NixBuild", namespace: "apps", name: "b-3" } })
          yield* first.sweep
          for (const name of names.filter((one) => one !== "b-3")) {
            assert.include(statusOf(stage, name), '"reason":"NodeFound"', name)
            const scheduled = api.writes.filter(
              (write) => write === `create Lease/${systemNamespace}/${tagLeaseName(`reg.io/${name}:1`)}`
            )
            assert.lengthOf(scheduled, 1)
          }
          assert.notInclude(statusOf(stage, "b-3"), "NodeFound")
          // Once, and twice more at once; what is left is for the next event or sweep.
          assert.lengthOf(
            api.attempts.filter((attempt) => attempt === path),
            3
          )
          api.fate.before = () => Effect.void
          yield* first.sweep
          assert.include(statusOf(stage, "b-3"), '"reason":"NodeFound"')
        })
    })
  )

  it.effect("no NixBuild counts on a claim that could not be written", () =>
    play({
      ...many,
      happens: (stage) =>
        Effect.gen(function* () {
          const { api, first } = stage
          const at = { kind: "Lease", namespace: systemNamespace, name: tagLeaseName("reg.io/late:1") }
          yield* Effect.orDie(api.objects.create(build("late")))
          yield* first.sweep
          yield* Effect.orDie(api.objects.remove({ kind: "NixBuild", namespace: "apps", name: "late" }))
          while (!JSON.stringify(api.objects.objects.get(keyOf(at)) ?? "gone").includes("unused-since"))
            yield* round(stage)
          yield* Effect.orDie(api.objects.create(build("late")))
          yield* Effect.orDie(api.objects.create(build("later")))
          disturb(stage, { path: `patch ${keyOf(at)}`, at })
          yield* first.sweep
          assert.notInclude(statusOf(stage, "late"), "NodeFound")
          assert.include(statusOf(stage, "later"), '"reason":"NodeFound"')
          api.fate.before = () => Effect.void
          yield* first.sweep
          assert.include(statusOf(stage, "late"), '"reason":"NodeFound"')
        })
    })
  )
})
