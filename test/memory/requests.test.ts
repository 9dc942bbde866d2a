/** What a build costs the API server when one process runs with its watches: reads of the cache cost nothing. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { onePod, waitingPod } from "./given.ts"
import { play, type Stage } from "./story.ts"

/** Events come as they happen, and none is lost. */
const live = Effect.fnUntraced(function* ({ api, first, world }: Stage) {
  for (let before = -1; before !== api.objects.log.length;) {
    before = api.objects.log.length
    yield* first.deliverAll
    yield* world.tick
  }
})

it.effect("a build makes 22 requests on a node that has no cache yet, 17 on one that has, and a sweep none", () =>
  play({
    given: onePod,
    happens: (stage) =>
      Effect.gen(function* () {
        const { api, first } = stage
        yield* live(stage)
        const cold = api.requests.slice()
        assert.lengthOf(cold, 22, cold.join("\n"))
        yield* Effect.orDie(
          api.objects.create(waitingPod({ name: "d", nodeName: "one", image: "reg.io/d:1", packageName: "good" }))
        )
        yield* live(stage)
        const warm = api.requests.slice(cold.length)
        assert.lengthOf(warm, 17, warm.join("\n"))
        yield* first.sweep
        assert.lengthOf(api.requests, cold.length + warm.length)
      })
  })
)
