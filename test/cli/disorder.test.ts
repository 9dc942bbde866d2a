/** A recording told to a new cluster on a bad day: whatever becomes of its events, all ends as it did. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestConsole } from "effect/testing"
import { disordered } from "../../cli/disorder.ts"
import { eventsIn } from "../../cli/event-file.ts"
import { twoNodes } from "../memory/given.ts"
import { play } from "../memory/story.ts"
import { record } from "./recording.ts"

layer(NodeServices.layer)("a recording that is told shuffled, with events lost and doubled", (it) => {
  it.effect(
    "leads to the same end, and then to no write",
    () =>
      Effect.gen(function* () {
        const recorded = eventsIn((yield* record({ given: twoNodes })).lines)
        assert.isAbove(recorded.length, 40)
        const { state } = yield* play({ given: twoNodes })
        for (const seed of [1, 2, 3]) {
          const disorder = { shuffle: true, duplicate: true, drop: true, seed: Option.some(seed) }
          const events = yield* disordered(recorded, disorder)
          const end = yield* play({
            given: twoNodes,
            happens: Effect.fnUntraced(function* ({ first, world }) {
              for (const [index, event] of events.entries()) {
                yield* first.deliver(event)
                // What the cluster itself tells is lost.
                first.mailbox.length = 0
                if (index % 5 === 0) yield* world.tick
              }
            })
          })
          assert.deepStrictEqual(end.state, state, `--seed ${seed}`)
        }
      }).pipe(Effect.provide(TestConsole.layer)),
    30_000
  )
})
