/**
 * Each request of a whole story suffers each fault, crashes included: the same
 * end, with no more than one write in addition.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { faults } from "./faults.ts"
import { onePod, onePodInVain } from "./given.ts"
import { allEnd } from "./law.ts"
import { play, type Script } from "./story.ts"

describe("each request of the whole story", () => {
  for (const [what, given] of Object.entries({ "one that succeeds": onePod, "one that fails": onePodInVain })) {
    for (const as of faults) {
      it.effect(`${as}, in ${what}`, () =>
        Effect.gen(function* () {
          const { requests, state, writes } = yield* play({ given })
          assert.isAbove(requests.length, 10)
          yield* allEnd(
            { state, writes: writes.length + 1 },
            requests.map((name, request): readonly [string, Script] => [
              `request ${request}, ${name}`,
              { given, fault: { request, as } }
            ])
          )
        })
      )
    }
  }
})
