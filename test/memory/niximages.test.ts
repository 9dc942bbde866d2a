/** NixImages: whatever happens, each ends as it would, equal ones share a build, and a name has one holder. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { buildNameOf } from "../../functions/niximage/request.ts"
import { NixImage } from "../../lib/api/niximage.ts"
import { images, namespace, nixBuild, nixImage, node, pullingPod, settings } from "./given.ts"
import { allEnd, sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { isFields, type Stored } from "../../lib/memory/objects.ts"
import { play, round, type Script, type Stage } from "./story.ts"

/** Two that want the same, one that wants what a NixImage has, one that wants what can't be built. */
const pulls = [
  ...images,
  pullingPod({ name: "a", pulls: "shell/jq:v1" }),
  pullingPod({ name: "b", pulls: "shell/jq:v1" }),
  pullingPod({ name: "c", namespace: "others", pulls: "others/tools:v1" }),
  pullingPod({ name: "wrong", pulls: "wrong:v1" })
]

const imagesIn = ({ api }: Stage): ReadonlyArray<Stored> =>
  [...api.objects.objects.values()].filter(({ kind }) => kind === "NixImage")

const statusOf = (image: Stored | undefined) => (isFields(image?.status) ? image.status : {})

const named = (stage: Stage, within: string, name: string) =>
  imagesIn(stage).find(({ metadata }) => metadata.namespace === within && metadata.name === name)

/** Until nothing is left to be built. */
const settle = Effect.fnUntraced(function* (stage: Stage) {
  for (let rounds = 0; rounds < 12; rounds += 1) {
    yield* round(stage)
    yield* stage.first.deliverAll
  }
})

describe("NixImages", () => {
  it.effect("end Built or Failed; equal ones of a namespace share a NixBuild", () =>
    Effect.gen(function* () {
      const { state } = yield* play({ given: images })
      assert.includeMembers(
        [...state],
        ["NixImage same Built", "NixImage tools Built", "NixImage tools Built", "NixImage wrong Failed BuildFailed"]
      )
      assert.lengthOf(
        state.filter((line) => line.startsWith("NixBuild ")),
        3
      )
    })
  )

  it.effect("are brought to the Pods that wait for them by name, and equal names make one NixImage", () =>
    Effect.gen(function* () {
      const { state } = yield* play({ given: pulls })
      assert.includeMembers([...state], ["Pod a Running", "Pod b Running", "Pod c Running", "Pod wrong Pending"])
      assert.lengthOf(
        state.filter((line) => line.startsWith("NixImage ")),
        5
      )
    })
  )

  it.effect("wake a Pod that waits for one of them under two names for each", () =>
    Effect.gen(function* () {
      const pod = pullingPod({ name: "two", pulls: "tools:v1" })
      const other = { name: "other", image: "127.0.0.1:5080/apps/tools:v1" }
      const waiting = pod.status.containerStatuses.map((container) => ({ ...container, name: "other" }))
      const both = {
        ...pod,
        spec: { ...pod.spec, containers: [...pod.spec.containers, other] },
        status: { ...pod.status, containerStatuses: [...pod.status.containerStatuses, ...waiting] }
      }
      const { objects, state } = yield* play({ given: [...images, both] })
      assert.include(state, "Pod two Running")
      const found = [...objects.values()].find(({ kind, metadata }) => kind === "Pod" && metadata.name === "two")
      assert.lengthOf(found?.metadata.annotations?.[wokenAnnotation]?.split(", ") ?? [], 2)
    })
  )

  it.effect("are brought to Pods, whatever becomes of events, watches, requests and the process", () =>
    sameEnd({ given: pulls, runs: 15, words: Object.values(words).flat() })
  )

  it.effect("end alike, whatever becomes of events, watches, requests and the process", () =>
    sameEnd({ given: images, runs: 15, words: Object.values(words).flat() })
  )

  it.effect("end alike when the process dies after any write", () =>
    Effect.gen(function* () {
      const { requests, state } = yield* play({ given: images })
      const kills = requests.flatMap((name, request): ReadonlyArray<readonly [string, Script]> =>
        name.startsWith("get ") || name.startsWith("list ")
          ? []
          : [[`${name} killed it`, { given: images, fault: { request, as: "crash-after" } }]]
      )
      assert.isAbove(kills.length, 20)
      yield* allEnd({ state }, kills)
    })
  )

  it.effect("give the name to the next when its holder goes, and what it shared is built for the other", () =>
    Effect.gen(function* () {
      yield* play({
        given: images,
        // The tag of the build that went is free after some minutes.
        quietRounds: 20,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* settle(stage)
            assert.strictEqual(statusOf(named(stage, "apps", "tools"))["holds"], "tools:v1")
            assert.notProperty(statusOf(named(stage, "others", "tools")), "holds")
            yield* Effect.orDie(stage.api.objects.remove({ kind: "NixImage", namespace: "apps", name: "tools" }))
            yield* settle(stage)
            assert.strictEqual(statusOf(named(stage, "others", "tools"))["holds"], "tools:v1")
            assert.strictEqual(statusOf(named(stage, "apps", "same"))["status"], "Built")
          })
      })
    })
  )

  it.effect("of which two took one name at the same moment leave it to one, if only by the sweep", () =>
    Effect.gen(function* () {
      yield* play({
        given: images,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* settle(stage)
            yield* Effect.orDie(
              stage.api.objects.patch(
                { kind: "NixImage", namespace: "others", name: "tools", subresource: "status" },
                { status: { holds: "tools:v1" } }
              )
            )
            yield* round(stage)
            yield* round(stage)
            const holders = imagesIn(stage).filter((image) => statusOf(image)["holds"] === "tools:v1")
            assert.lengthOf(holders, 1)
          })
      })
    })
  )

  it.effect("are built whoever else claims the name of their build, which can be computed", () =>
    Effect.gen(function* () {
      const tools = yield* Schema.decodeUnknownEffect(NixImage)({
        ...nixImage({ name: "tools", contents: ["curl", "jq"] }),
        metadata: { name: "tools", namespace: "apps", uid: "any", resourceVersion: "1" }
      })
      const imageTag = `127.0.0.1:5080/apps/${buildNameOf(tools, "x86_64-linux", settings)}:x86_64-linux`
      const made = nixBuild({ name: "squatter", namespace: "others", nodes: [], packageName: "bad", image: imageTag })
      const squatter = { ...made, spec: { ...made.spec, delivery: "Registry" } }
      const late: ReadonlyArray<KubernetesObject> = images.filter(
        ({ kind, metadata }) => kind !== "Node" && metadata.name !== "others"
      )
      yield* play({
        given: [namespace("others"), node("one"), squatter],
        happens: (stage) =>
          Effect.gen(function* () {
            yield* settle(stage)
            for (const object of late) yield* Effect.orDie(stage.api.objects.create(object))
            yield* settle(stage)
            assert.strictEqual(statusOf(named(stage, "apps", "tools"))["status"], "Built")
          })
      })
    })
  )

  it.effect("are built anew, with another digest, when their contents change", () =>
    Effect.gen(function* () {
      yield* play({
        given: images,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* settle(stage)
            const before = JSON.stringify(statusOf(named(stage, "apps", "tools"))["systems"])
            yield* Effect.orDie(
              stage.api.objects.patch(
                { kind: "NixImage", namespace: "apps", name: "tools" },
                { data: { contents: ["curl", "jq", "git"] } }
              )
            )
            yield* settle(stage)
            const digestIn = (text: string) => /sha256:[0-9a-f]{64}/.exec(text)?.[0]
            const after = statusOf(named(stage, "apps", "tools"))
            assert.strictEqual(after["status"], "Built")
            assert.include(JSON.stringify(after["former"]), digestIn(before) ?? "none")
            assert.isString(digestIn(before))
            assert.notStrictEqual(digestIn(JSON.stringify(after["systems"])), digestIn(before))
          })
      })
    })
  )
})
