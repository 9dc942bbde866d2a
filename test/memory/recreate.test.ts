/**
 * Users change their minds while a build is under way: a NixBuild or a Pod is
 * deleted, made again under its name, or wanted on another node.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { namespace, nixBuild, node, onePod, waitingPod } from "./given.ts"
import { allEnd } from "./law.ts"
import { play, type Script, type Stage } from "./story.ts"

const good = nixBuild({ name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "good" })
const bad = nixBuild({ name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "bad" })
const at = { kind: "NixBuild", namespace: "apps", name: "c" }
const nodes = [namespace("apps"), node("one"), node("two")]

const decodeBuild = Schema.decodeUnknownSync(nixBuilds.schema)

/** The same story once for each of its requests, and after the look that makes it `change` happens. */
const afterEach = Effect.fnUntraced(function* (
  given: Script["given"],
  change: (stage: Stage) => Effect.Effect<unknown, unknown>
) {
  const { requests } = yield* play({ given })
  return requests.map((name, request): readonly [string, Script] => [
    `after request ${request}, ${name}`,
    {
      given,
      happens: (stage) =>
        Effect.sync(() => {
          const { fate } = stage.api
          fate.after = (counted) =>
            Effect.sync(() => {
              if (counted.request !== request) return
              fate.after = () => Effect.void
              fate.between = Effect.suspend(() => {
                fate.between = Effect.void
                return Effect.asVoid(Effect.orDie(change(stage)))
              })
            })
        })
    }
  ])
})

const remade = (object: Script["given"][number]) => (stage: Pick<Stage, "api">) =>
  Effect.gen(function* () {
    const { metadata, kind } = object
    yield* stage.api.objects.remove({ kind, name: metadata.name, namespace: metadata.namespace })
    yield* stage.api.objects.create(object)
  })

describe("at any moment", () => {
  for (const [what, before, after] of [
    ["as it was", good, good],
    ["with a package that fails", good, bad],
    ["with a package that builds", bad, good]
  ] as const) {
    it.effect(
      `a NixBuild is made again under its name ${what}: nothing of the old one is taken for the new one's`,
      () =>
        Effect.gen(function* () {
          const { state } = yield* play({ given: [...nodes, after] })
          yield* allEnd({ state }, yield* afterEach([...nodes, before], remade(after)))
        })
    )
  }

  it.effect("a NixBuild that Pods wait for is deleted: it is made again", () =>
    Effect.gen(function* () {
      const { state } = yield* play({ given: onePod })
      const isBuild = ({ kind }: { readonly kind: string }) => kind === "NixBuild"
      const change = ({ api: { objects } }: Stage) =>
        Effect.forEach([...objects.objects.values()].filter(isBuild), ({ kind, metadata }) =>
          objects.remove({ ...metadata, kind })
        )
      const stories = yield* afterEach(onePod, change)
      // The look that says on the NixBuild that the image is there wakes the Pod too; once that runs nobody wants it.
      const whileItWaits = stories.slice(
        0,
        stories.findIndex(([name]) => name.includes("create Event/apps/podwatcher"))
      )
      assert.isAbove(whileItWaits.length, 10)
      // The Pod is told of the deletion, and of the NixBuild that is made a minute and a half later.
      yield* allEnd(
        { state, but: /^Event Pod/ },
        whileItWaits.map(([name, script]) => [name, { ...script, quietRounds: 5 }])
      )
    })
  )

  it.effect(
    "a person deletes a NixBuild and takes 45 s to write another under its name: that is the one that counts",
    () =>
      Effect.gen(function* () {
        const { state } = yield* play({
          given: onePod,
          happens: ({ api: { objects }, first }) =>
            Effect.gen(function* () {
              yield* first.deliverAll
              const [build] = [...objects.objects.values()].filter(({ kind }) => kind === "NixBuild")
              if (build === undefined) return yield* Effect.die("no NixBuild")
              const { apiVersion, kind } = build
              const { labels, name, namespace: within } = build.metadata
              const { spec } = decodeBuild(build)
              for (const sandbox of [false, true]) {
                yield* objects.remove({ kind, name, namespace: within })
                yield* first.deliverAll
                for (const seconds of [20, 20, 5] as const) {
                  yield* TestClock.adjust(`${seconds} seconds`)
                  yield* first.sweep
                }
                const metadata = { labels, name, namespace: within }
                yield* objects.create({ apiVersion, kind, metadata, spec: { ...spec, sandbox } })
                yield* first.deliverAll
              }
              assert.isTrue(decodeBuild(yield* objects.find({ kind, name, namespace: within })).spec.sandbox)
            }).pipe(Effect.orDie)
        })
        assert.include(state, "Pod a Running")
        const told = (reason: string) => state.filter((line) => line === `Event Pod a ${reason}`).length
        assert.deepStrictEqual([told("NixBuildDeleted"), told("ImageBuilding"), told("NixBuildChanged")], [2, 3, 1])
      })
  )

  it.effect("a Pod is made again under its name: it starts too", () =>
    Effect.gen(function* () {
      const pod = waitingPod({ name: "a", nodeName: "one", image: "reg.io/a:1", packageName: "good" })
      const { state } = yield* play({ given: onePod })
      // One that comes when the image is there already is not told that it is being built.
      yield* allEnd({ state, but: /^Event Pod/ }, yield* afterEach(onePod, remade(pod)))
    })
  )

  it.effect("one more node wants the image: it gets it, and every condition speaks of the new generation", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: [...nodes, { ...good, spec: { ...good.spec, nodes: ["one", "two"] } }]
      })
      const change = ({ api: { objects } }: Stage) => objects.patch(at, { spec: { nodes: ["one", "two"] } })
      yield* allEnd({ state }, yield* afterEach([...nodes, good], change))
    })
  )

  it.effect("a NixBuild is deleted: no Job is made for it any more, and its build Jobs go", () =>
    Effect.gen(function* () {
      const stories = yield* afterEach([...nodes, good], ({ api: { objects } }) => objects.remove(at))
      for (const [name, script] of stories) {
        const { state } = yield* play(script)
        const left = state.filter((line) => !/^(PersistentVolume|Lease|NetworkPolicy)/.test(line))
        assert.deepStrictEqual(left, ["Namespace apps", "Node one", "Node two"], name)
      }
    })
  )

  it.effect("what is made again just before we delete it is not deleted for the old one", () =>
    Effect.gen(function* () {
      const given = [...nodes, good]
      const { requests, state } = yield* play({ given })
      let deletions = 0
      for (const [request, what] of requests.entries()) {
        if (!what.startsWith("delete Job/")) continue
        deletions += 1
        const end = yield* play({
          given,
          excused: [
            "no Job is made twice",
            "what the source is, the node that builds finds out, and all other Jobs get that"
          ],
          happens: ({ api }) =>
            Effect.sync(() => {
              api.fate.before = (counted) =>
                Effect.gen(function* () {
                  if (counted.request !== request) return
                  const job = api.objects.objects.get(what.slice("delete ".length))
                  if (job === undefined) return
                  yield* remade(job)({ api })
                  const made = api.objects.log.at(-1)?.object.metadata.uid
                  api.objects.observers.push(({ object, verb }) => {
                    const isAtOnce = api.requests.length === request + 1
                    assert.isFalse(verb === "DELETED" && object.metadata.uid === made && isAtOnce, what)
                  })
                }).pipe(Effect.orDie)
            })
        })
        assert.deepStrictEqual(end.state, state, what)
      }
      assert.isAbove(deletions, 0)
    })
  )

  it.effect("the Pod of an earlier Job of the same name says nothing about this one", () =>
    Effect.gen(function* () {
      const given = [...nodes, good]
      const { state, writes } = yield* play({ given })
      const jobs = writes.flatMap(
        (write) => /^create Job\/(.*)\/(.*-(?:build|import)-.*)$/.exec(write)?.slice(1, 3) ?? []
      )
      const [inNamespace, name] = jobs
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name: `${name}-earlier`,
          namespace: inNamespace,
          labels: { "batch.kubernetes.io/job-name": name, "batch.kubernetes.io/controller-uid": "uid-earlier" }
        },
        spec: { nodeName: "one", containers: [{ name: "build" }] },
        status: {
          phase: "Failed",
          containerStatuses: [
            {
              name: "build",
              state: {
                terminated: {
                  exitCode: 1,
                  message: JSON.stringify({ outcome: "Failed", reason: "BuildFailed", message: "earlier", log: "" })
                }
              }
            }
          ]
        }
      }
      const end = yield* play({ given: [...given, pod] })
      assert.deepStrictEqual(
        end.state.filter((line) => !line.startsWith("Pod ")),
        state
      )
    })
  )
})
