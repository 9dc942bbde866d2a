/** A Pod of two images: each is built when kubelet misses it, and the Pod is woken for each. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import { namespace, node, podOfTwoImages } from "./given.ts"
import { sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { play } from "./story.ts"

const atOnce = [namespace("apps"), node("one"), podOfTwoImages({ isInitFirst: false })]
const inTurn = [namespace("apps"), node("one"), podOfTwoImages({ isInitFirst: true })]

describe("two images of one Pod", () => {
  for (const [how, given] of [
    ["one after the other, as an init container and a container have them", inTurn],
    ["in the same second", atOnce]
  ] as const) {
    it.effect(`${how}: both are built, and the Pod runs`, () =>
      Effect.gen(function* () {
        let woken: unknown
        const { state, writes } = yield* play({
          given,
          happens: ({ api }) =>
            Effect.sync(() => {
              api.objects.observers.push(({ object }) => {
                if (object.kind === "Pod" && object.metadata.name === "two") {
                  woken = object.metadata.annotations?.[wokenAnnotation]
                }
              })
            })
        })
        assert.include(state, "Pod two Running")
        const builds = state.filter((line) => line.startsWith("NixBuild "))
        assert.lengthOf(builds, 2)
        assert.isTrue(builds.every((line) => line.endsWith("Succeeded one one:ImagePulled")))
        assert.lengthOf(String(woken).split(", "), 2)
        // Once for each image, and no more: neither takes the other's word back.
        assert.lengthOf(
          writes.filter((write) => write === "patch Pod/apps/two"),
          2
        )
      })
    )

    it.effect(`${how}: the same end, whatever becomes of events and writes`, () =>
      sameEnd({ given, words: [...words.events, "deliver", ...words.always, ...words.faults], runs: 20 })
    )
  }
})
