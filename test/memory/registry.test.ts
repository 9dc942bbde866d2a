/** An image that goes to the registry: the same end as one for nodes, but no node is said to have it and no Pod is woken. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { namespace, nixBuild, node, waitingPod } from "./given.ts"
import { sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { play } from "./story.ts"

const build = nixBuild({ name: "a", nodes: [], image: "reg.io/a:1", packageName: "good" })
const pod = waitingPod({ name: "p", nodeName: "one", image: "reg.io/a:1", packageName: "good" })

const given = [
  namespace("apps"),
  node("one"),
  { ...build, spec: { ...build.spec, delivery: "Registry" } },
  // Nothing in it asks for a build: it waits for its own next pull.
  { ...pod, metadata: { name: "p", namespace: "apps" } }
]

describe("an image for the registry", () => {
  it.effect("is published once, and the Pod that waits for its name is left alone", () =>
    Effect.gen(function* () {
      const { state, writes } = yield* play({ given })
      assert.include(state, "NixBuild a Succeeded one:ImagePublished")
      assert.include(state, "Pod p Pending")
      assert.notInclude(writes, "patch Pod/apps/p")
      assert.lengthOf(
        writes.filter((write) => write.startsWith("create Job/enbi-system/a-import-")),
        1
      )
    })
  )

  it.effect("ends the same, whatever becomes of events and writes", () =>
    sameEnd({ given, words: [...words.events, "deliver", ...words.always, ...words.faults], runs: 20 })
  )
})
