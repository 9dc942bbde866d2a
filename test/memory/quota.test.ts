/** A namespace that has no room for a NixBuild: what is refused is tried again, and made when there is room. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { DecisionsFile } from "../../lib/runtime/decision-file.ts"
import { namespace, node, waitingPod } from "./given.ts"
import { play, round, type Script, type Stage } from "./story.ts"

const pods = (["first", "second"] as const).map((name) =>
  waitingPod({ name, nodeName: "one", image: `reg.io/${name}:1`, packageName: "good" })
)
const given: Script["given"] = [namespace("apps"), node("one"), ...pods]

const of = ({ api: { objects } }: Stage, kind: string) =>
  [...objects.objects.values()].filter((object) => object.kind === kind)

/** At most so many NixBuilds at a time, counted as a ResourceQuota counts them. */
const limitTo = (stage: Stage, limit: () => number) => {
  stage.api.fate.refusalOf = ({ kind, name }) => {
    const used = of(stage, kind).length
    return kind === "NixBuild" && used >= limit()
      ? `nixbuilds "${name}" is forbidden: exceeded quota: builds, used: count/nixbuilds.enbi.hrzn.ee=${used}`
      : undefined
  }
}

const toldOf = (stage: Stage, reason: string) =>
  of(stage, "Event").filter((event) => event["reason"] === reason && event.metadata.name.startsWith("second"))

const isRunning = (stage: Stage, name: string): boolean =>
  of(stage, "Pod").some((pod) => pod.metadata.name === name && JSON.stringify(pod["status"]).includes(`"Running"`))

const until = Effect.fnUntraced(function* (stage: Stage, what: string, isSo: () => boolean, rounds = 10) {
  for (let count = 0; !isSo(); count += 1) {
    assert.isBelow(count, rounds, `${what} does not come`)
    yield* round(stage)
  }
})

const removeBuilds = (stage: Stage) =>
  Effect.forEach(of(stage, "NixBuild"), ({ kind, metadata }) => stage.api.objects.remove({ ...metadata, kind })).pipe(
    Effect.orDie
  )

describe("a quota of one NixBuild", () => {
  it.effect("lets the second Pod wait, says so once, and writes and logs nothing however often it is tried", () =>
    Effect.gen(function* () {
      const outcomes: Array<string> = []
      const { state } = yield* play({
        given,
        happens: (stage) =>
          Effect.gen(function* () {
            limitTo(stage, () => 1)
            yield* until(stage, "the first Pod", () => isRunning(stage, "first"))
            const { length } = stage.api.refused
            for (let rounds = 0; rounds < 4; rounds += 1) yield* round(stage)
            assert.isAtLeast(stage.api.refused.length, length + 1, "it is tried within two minutes")
            assert.lengthOf(toldOf(stage, "NixBuildRefused"), 1)
            assert.include(outcomes, "Done")
            assert.isFalse(outcomes.some((outcome) => outcome.startsWith("Refused")))
          })
      }).pipe(Effect.provideService(DecisionsFile, ({ outcome }) => Effect.sync(() => outcomes.push(outcome))))
      assert.include(state, "Pod second Pending")
      assert.lengthOf(
        state.filter((line) => line === "Event Pod second NixBuildRefused"),
        1
      )
    })
  )

  it.effect("is asked again by the sweep alone, within two minutes of the room", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given,
        happens: (stage) =>
          Effect.gen(function* () {
            let limit = 1
            limitTo(stage, () => limit)
            yield* until(stage, "the first Pod", () => isRunning(stage, "first"))
            limit = 2
            const made = () => of(stage, "NixBuild").length === 2
            yield* until(stage, "the second NixBuild", made, 4)
          })
      })
      assert.include(state, "Pod second Running")
    })
  )

  it.effect("is asked again at once when a NixBuild of the namespace goes, with no sweep", () =>
    play({
      given,
      happens: (stage) =>
        Effect.gen(function* () {
          limitTo(stage, () => 1)
          yield* until(stage, "the first Pod", () => isRunning(stage, "first"))
          yield* stage.first.deliverAll
          yield* removeBuilds(stage)
          yield* stage.first.deliverAll
          assert.lengthOf(of(stage, "NixBuild"), 1)
        })
    })
  )

  it.effect("is asked again at once when a quota changes, with no sweep", () =>
    play({
      given,
      happens: (stage) =>
        Effect.gen(function* () {
          let limit = 1
          limitTo(stage, () => limit)
          const quota = {
            apiVersion: "v1",
            kind: "ResourceQuota",
            metadata: { name: "builds", namespace: "apps" },
            spec: { hard: { "count/nixbuilds.enbi.hrzn.ee": "1" } }
          }
          yield* Effect.orDie(stage.api.objects.create(quota))
          yield* until(stage, "the first Pod", () => isRunning(stage, "first"))
          yield* stage.first.deliverAll
          limit = 2
          yield* Effect.orDie(
            stage.api.objects.patch(
              { kind: quota.kind, ...quota.metadata },
              { spec: { hard: { "count/nixbuilds.enbi.hrzn.ee": "2" } } }
            )
          )
          yield* stage.first.deliverAll
          assert.lengthOf(of(stage, "NixBuild"), 2)
        })
    })
  )

  it.effect("takes another while a NixBuild that was deleted waits to be made again", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given,
        happens: (stage) =>
          Effect.gen(function* () {
            let limit = 1
            limitTo(stage, () => limit)
            yield* until(stage, "a NixBuild of which its Pod was told", () => of(stage, "Event").length >= 2)
            yield* removeBuilds(stage)
            yield* until(stage, "the second Pod", () => isRunning(stage, "second"))
            assert.isFalse(isRunning(stage, "first"))
            limit = 2
          })
      })
      assert.includeMembers([...state], ["Pod first Running", "Pod second Running"])
    })
  )
})
