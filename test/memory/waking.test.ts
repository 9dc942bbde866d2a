/** A Pod is woken by another function than the one that says that its image is there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import { onePod } from "./given.ts"
import { play, round, type Stage } from "./story.ts"

const textOf = ({ api }: Stage, kind: string): string =>
  JSON.stringify([...api.objects.objects.values()].filter((object) => object.kind === kind))

/** The status says that the image is there, and no Pod can be woken. */
const untilTold = Effect.fnUntraced(function* (stage: Stage) {
  stage.api.fate.faultOf = ({ what }) => (what.startsWith("patch Pod/") ? "lost" : undefined)
  for (let rounds = 0; !textOf(stage, "NixBuild").includes('"wokenTime"'); rounds += 1) {
    assert.isBelow(rounds, 30, textOf(stage, "NixBuild"))
    yield* round(stage)
  }
  assert.notInclude(textOf(stage, "Pod"), wokenAnnotation)
})

describe("a Pod whose waking fails at first", () => {
  it.effect("is woken with a later sweep, and has its half minute from then on before the image is missed", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: onePod,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* untilTold(stage)
            yield* TestClock.adjust("29 seconds")
            stage.api.fate.faultOf = () => undefined
            yield* stage.first.sweep
            assert.include(textOf(stage, "Pod"), wokenAnnotation)
            yield* TestClock.adjust("2 seconds")
            yield* stage.first.sweep
            assert.notInclude(textOf(stage, "NixBuild"), "ImageVanished")
          })
      })
      assert.include(state, "Pod a Running")
    })
  )

  it.effect("costs one write of the status in half a minute at most, however often it is looked at", () =>
    Effect.gen(function* () {
      yield* play({
        given: onePod,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* untilTold(stage)
            const { length } = stage.api.writes
            for (let seconds = 0; seconds < 29; seconds += 1) {
              yield* TestClock.adjust("1 second")
              yield* stage.first.deliverAll
              yield* stage.first.sweep
            }
            assert.deepStrictEqual(
              stage.api.writes.slice(length).filter((write) => write.endsWith("/status")),
              []
            )
            stage.api.fate.faultOf = () => undefined
          })
      })
    })
  )
})
