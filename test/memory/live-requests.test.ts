/** Reading without a cache: each function asks for what an event is about, and for no whole kind. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import type { FileSystem, Path } from "effect"
import { nixBuild, twoNodes, twoNodesThatFail } from "./given.ts"
import { type Request, wordsOf } from "./knative.ts"
import { isOfAll, most, ofBuilds, ofEvents, ofSweep } from "./live-requests.ts"

const test = <E>(self: Effect.Effect<void, E, FileSystem.FileSystem | Path.Path>) =>
  self.pipe(Effect.provide([NodeServices.layer, Logger.layer([])]))

const mustBeFew = (requests: ReadonlyArray<Request>, limit: number) =>
  assert.isAtMost(requests.length, limit, requests.map(wordsOf).join("\n"))

it.effect(`a build makes ${most.build} requests at most, one for a Pod ${most.buildForPod}`, () =>
  test(
    Effect.gen(function* () {
      const { build, buildForPod } = yield* ofBuilds
      mustBeFew(build, most.build)
      mustBeFew(buildForPod, most.buildForPod)
    })
  )
)

it.effect(`a sweep over a hundred cache volumes makes ${most.sweep} at most`, () =>
  test(Effect.flatMap(ofSweep, (sweep) => Effect.sync(() => mustBeFew(sweep, most.sweep))))
)

it.effect("no event leads to a list of all Pods or of all NixBuilds", () =>
  test(
    Effect.gen(function* () {
      const requests = [
        ...(yield* ofEvents(twoNodes, ({ api: { objects } }) =>
          Effect.gen(function* () {
            yield* objects.remove({ kind: "NixBuild", namespace: "apps", name: "c" })
            yield* objects.create(nixBuild({ name: "d", nodes: [], image: "reg.io/d:1", packageName: "bad" }))
            yield* objects.patch({ kind: "Node", name: "one" }, { spec: { unschedulable: true } })
            yield* objects.remove({ kind: "Namespace", name: "apps" })
          })
        )),
        ...(yield* ofEvents(twoNodesThatFail, () => Effect.void))
      ]
      assert.isNotEmpty(requests)
      assert.deepStrictEqual(requests.filter(isOfAll).map(wordsOf), [])
    })
  )
)
