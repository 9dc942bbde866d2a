/** What nobody needs any more goes, and what is needed again comes back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { leases, managedBy } from "../../lib/kubernetes/kinds.ts"
import { namespaceAnnotation, nodeAnnotation, retryAnnotation } from "../../lib/api/annotations.ts"
import { persistentVolumeName, tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { usersOf } from "../../lib/nixbuild/tag-claim.ts"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { namespace, nixBuild, node, onePod } from "./given.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { readJob } from "./job.ts"
import { play, round, type Stage } from "./story.ts"

const spec = { name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "good" } as const
const given = [namespace("apps"), node("one"), nixBuild(spec)]
const build = { kind: "NixBuild", namespace: "apps", name: "c" }

const jobsOf = ({ api }: Stage, step: string) =>
  [...api.objects.objects.values()].filter((object) => object.kind === "Job" && readJob(object).step === step)

const rounds = Effect.fnUntraced(function* (stage: Stage, isEnough: () => boolean) {
  for (let count = 0; !isEnough(); count += 1) {
    assert.isBelow(count, 20, "it never comes to that")
    yield* round(stage)
  }
})

/** As the namespace controller does: everything in it, then itself. */
const removeNamespace = ({ api: { objects } }: Stage, name: string) =>
  Effect.gen(function* () {
    for (const { kind, metadata } of Array.from(objects.objects.values())) {
      const at = { kind, name: metadata.name, namespace: metadata.namespace }
      if (metadata.namespace === name) yield* Effect.ignore(objects.remove(at))
    }
    yield* objects.remove({ kind: "Namespace", name })
  }).pipe(Effect.orDie)

describe("Jobs", () => {
  for (const step of ["build", "import"]) {
    it.effect(`a NixBuild is deleted while its ${step} Job runs: the Job is gone with the next event`, () =>
      Effect.gen(function* () {
        const { writes } = yield* play({
          given,
          happens: (stage) =>
            Effect.gen(function* () {
              yield* rounds(stage, () => jobsOf(stage, step).some((job) => readJob(job).isLive))
              yield* stage.api.objects.remove(build)
              yield* stage.first.deliverAll
              assert.deepStrictEqual([...jobsOf(stage, "build"), ...jobsOf(stage, "import")], [])
            }).pipe(Effect.orDie)
        })
        const made = writes.filter((write) => write.startsWith("create Job") && write.includes(`-${step}-`))
        assert.lengthOf(made, 1, "and it is not made again")
      })
    )
  }

  it.effect("a node is no longer wanted while it builds: its Job goes, and the other's is left alone", () =>
    Effect.gen(function* () {
      const two = nixBuild({ name: "c", nodes: ["one", "two"], image: "reg.io/c:1", packageName: "good" })
      const { state } = yield* play({
        given: [namespace("apps"), node("one"), node("two"), two],
        happens: (stage) =>
          Effect.gen(function* () {
            yield* rounds(stage, () => jobsOf(stage, "build").length === 2)
            const found = yield* stage.api.objects.find(build)
            const kept = JSON.stringify(found).includes('"buildNode":"one"') ? "one" : "two"
            yield* stage.api.objects.patch(build, { spec: { nodes: [kept] } })
            yield* stage.first.deliverAll
            assert.deepStrictEqual(
              jobsOf(stage, "build").map((job) => readJob(job).node),
              [kept]
            )
          }).pipe(Effect.orDie)
      })
      assert.lengthOf(
        state.filter((line) => line.startsWith("NixBuild c Succeeded")),
        1
      )
    })
  )
})

describe("a process that has not heard of what is needed removes nothing", () => {
  const unheard = Effect.fnUntraced(function* (kind: string, happens: (stage: Stage) => Effect.Effect<void>) {
    const { writes } = yield* play({
      given: [],
      replicas: [{}, {}],
      happens: (stage) => {
        stage.first.condition.lagging.add(kind)
        return happens(stage)
      }
    })
    const removed = writes.filter((write) => /delete (NixBuild|Persistent|Lease)|remove-volume/.test(write))
    assert.deepStrictEqual(removed, [])
  })

  for (const kind of ["NixBuild", "Namespace"]) {
    it.effect(kind, () =>
      unheard(kind, (stage) =>
        Effect.gen(function* () {
          for (const object of given) yield* stage.api.objects.create(object)
          yield* rounds(stage, () => stage.world.images.size > 0)
        }).pipe(Effect.orDie)
      )
    )
  }

  it.effect("Node", () =>
    unheard("Node", (stage) =>
      Effect.gen(function* () {
        const { objects } = stage.api
        const { metadata } = yield* objects.create(namespace("apps"))
        yield* objects.create(node("one"))
        yield* objects.create({
          apiVersion: "v1",
          kind: "PersistentVolume",
          metadata: {
            name: persistentVolumeName(metadata.uid, "one"),
            labels: managedBy,
            annotations: { [namespaceAnnotation]: "apps", [nodeAnnotation]: "one" }
          }
        })
        yield* round(stage)
      }).pipe(Effect.orDie)
    )
  )
})

describe("history", () => {
  const timed = nixBuild({ name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "good" })
  const world = [namespace("apps"), node("one"), { ...timed, spec: { ...timed.spec, ttlSecondsAfterFinished: 0 } }]
  const buildsIn = (state: ReadonlyArray<string>) => state.filter((line) => line.startsWith("NixBuild"))

  it.effect("a NixBuild whose time is up goes, with its Jobs", () =>
    Effect.gen(function* () {
      const { state, writes } = yield* play({ given: world })
      assert.deepStrictEqual(buildsIn(state), [])
      assert.lengthOf(
        writes.filter((write) => write.startsWith("delete NixBuild")),
        1
      )
    })
  )

  it.effect("its owner decides to keep it in the last moment: it is kept", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: world,
        happens: ({ api }) =>
          Effect.sync(() => {
            api.fate.before = ({ what }) =>
              what.startsWith("delete NixBuild")
                ? Effect.ignore(api.objects.patch(build, { spec: { ttlSecondsAfterFinished: null } }))
                : Effect.void
          })
      })
      assert.deepStrictEqual(buildsIn(state), ["NixBuild c Succeeded one one:ImagePulled"])
    })
  )
})

describe("volumes", () => {
  it.effect("a namespace is deleted: its directories are removed once, then its volume and the Job", () =>
    Effect.gen(function* () {
      const { state, writes } = yield* play({
        given,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* rounds(stage, () => stage.world.images.size > 0)
            yield* removeNamespace(stage, "apps")
          })
      })
      assert.deepStrictEqual(
        state.filter((line) => !line.startsWith("Lease")),
        ["Node one"]
      )
      const about = writes.filter((write) => /remove-volume|delete PersistentVolume/.test(write))
      assert.deepStrictEqual(
        about.map((write) => write.split("/")[0]),
        ["create Job", "delete PersistentVolume", "delete Job"]
      )
    })
  )

  it.effect("a node is installed anew: its volume is made again, and the image is built there", () =>
    Effect.gen(function* () {
      const { state } = yield* play({ given: onePod })
      const end = yield* play({
        given: onePod,
        // The volume is prepared once more, under the name that the namespace and the node give.
        excused: ["no Job is made twice"],
        happens: (stage) =>
          Effect.gen(function* () {
            const { objects } = stage.api
            yield* rounds(stage, () => jobsOf(stage, "volume").length > 0)
            while (jobsOf(stage, "volume").some((job) => readJob(job).isLive)) yield* stage.world.tick
            yield* objects.remove({ kind: "Node", name: "one" })
            yield* objects.create(node("one"))
          }).pipe(Effect.orDie)
      })
      assert.deepStrictEqual(end.state, state)
      assert.lengthOf(
        end.writes.filter((write) => write.startsWith("create PersistentVolume/")),
        2
      )
    })
  )

  it.effect("a node is gone for good: nothing speaks of it any more", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given,
        happens: (stage) =>
          Effect.gen(function* () {
            yield* rounds(stage, () => stage.world.images.size > 0)
            yield* stage.api.objects.remove({ kind: "Node", name: "one" })
          }).pipe(Effect.orDie)
      })
      assert.deepStrictEqual(
        state.filter((line) => line.startsWith("Persistent")),
        []
      )
    })
  )
})

describe("tags", () => {
  const other = { name: "d", namespace: "other", nodes: ["one"], image: "reg.io/c:1", packageName: "good" } as const
  const another = { ...other, flakeUrl: "github:another/one" }
  const at = { kind: "NixBuild", namespace: "other", name: "d" }
  const lease = { kind: "Lease", namespace: systemNamespace, name: tagLeaseName("reg.io/c:1") }

  /** What becomes of another namespace's NixBuild under the tag of one that is deleted, while the node reports this image. */
  const story = Effect.fnUntraced(function* (
    names: ReadonlyArray<string>,
    wish: Parameters<typeof nixBuild>[0],
    then: (stage: Stage) => Effect.Effect<unknown, unknown> = () => Effect.void
  ) {
    const { state } = yield* play({
      given: [...given, namespace("other")],
      happens: (stage) =>
        Effect.gen(function* () {
          const { objects } = stage.api
          yield* rounds(stage, () => stage.world.images.size > 0)
          yield* objects.patch(
            { kind: "Node", name: "one", subresource: "status" },
            { status: { images: [{ names }] } }
          )
          yield* round(stage)
          yield* objects.remove(build)
          yield* objects.create(nixBuild(wish))
          const isOver = () => JSON.stringify(objects.objects.get(keyOf(at))).includes('"type":"Complete"')
          yield* rounds(stage, isOver)
          yield* TestClock.adjust("10 minutes")
          yield* then(stage)
          yield* round(stage)
        }).pipe(Effect.orDie)
    })
    return state.find((line) => line.startsWith("NixBuild"))
  })

  const usersIn = ({ api }: Stage) =>
    Effect.map(api.objects.find(lease), (stored) => usersOf(Schema.decodeUnknownSync(leases.schema)(stored)))

  it.effect("a NixBuild is deleted and no node has its image: ten minutes later the tag is the other namespace's", () =>
    Effect.gen(function* () {
      const end = yield* story(["reg.io/other:1"], other, (stage) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* usersIn(stage), ["apps", "other"])
          yield* round(stage)
          assert.deepStrictEqual(yield* usersIn(stage), ["other"])
        })
      )
      assert.strictEqual(end, "NixBuild d Succeeded one one:ImagePulled")
    })
  )

  it.effect("and one that was refused can be tried again then", () =>
    Effect.gen(function* () {
      const end = yield* story(["reg.io/other:1"], another, (stage) =>
        Effect.gen(function* () {
          const { status } = yield* stage.api.objects.find(at)
          assert.include(JSON.stringify(status), '"reason":"TagConflict"')
          yield* round(stage)
          yield* stage.api.objects.patch(at, { metadata: { annotations: { [retryAnnotation]: "1" } } })
        })
      )
      assert.strictEqual(end, "NixBuild d Succeeded one one:ImagePulled")
    })
  )

  it.effect("a node still has the image: nobody else brings another under the tag", () =>
    Effect.gen(function* () {
      const end = yield* story(["reg.io/other:1", "reg.io/c:1"], another)
      assert.strictEqual(end, "NixBuild d Failed TagConflict one one:TagConflict")
    })
  )

  it.effect("a node may have names that it does not report: nobody else brings another under the tag", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 5 }, (_, index) => `reg.io/x:${index}`)
      assert.strictEqual(yield* story(many, another), "NixBuild d Failed TagConflict one one:TagConflict")
    })
  )

  const many = Array.from({ length: 50 }, (_, index) => ({ names: [`reg.io/x:${index}`] }))
  const grown = (name: string) => ({ ...node(name), status: { ...node(name).status, images: many } })
  const names = Array.from({ length: 12 }, (_, index) => `t-${index}`)

  /** The tags that are held when NixBuilds came and went, all nodes report as much as they can, and days pass. */
  const heldAfter = Effect.fnUntraced(function* (days: number, more: ReadonlyArray<KubernetesObject> = []) {
    const { state } = yield* play({
      given: [
        namespace("apps"),
        grown("one"),
        grown("two"),
        ...names.map((name) => nixBuild({ ...spec, name, image: `reg.io/${name}:1` })),
        ...more
      ],
      happens: (stage) =>
        Effect.gen(function* () {
          yield* rounds(stage, () => stage.world.images.size === names.length)
          yield* round(stage)
          for (const name of names) yield* stage.api.objects.remove({ kind: "NixBuild", namespace: "apps", name })
          yield* round(stage)
          yield* TestClock.adjust(`${days} days`)
          yield* round(stage)
        }).pipe(Effect.orDie)
    })
    return state.filter((line) => line.startsWith("Lease"))
  })

  it.effect("no node reports all that it has: tags are kept for days, but not for ever", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* heldAfter(2), names.length)
      assert.deepStrictEqual(yield* heldAfter(3), [])
    })
  )

  it.effect(
    "a Pod of the namespace names the image that no node reports: its tag is kept, for as long as it takes",
    () =>
      Effect.gen(function* () {
        const pod = (name: string, image: string) => ({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name, namespace: "apps" },
          spec: { nodeName: "one", containers: [{ name: "app", image }] },
          status: { phase: "Running" }
        })
        const kept = yield* heldAfter(30, [pod("a", "reg.io/t-0:1"), pod("b", "reg.io/x:1")])
        assert.deepStrictEqual(kept, [`Lease ${tagLeaseName("reg.io/t-0:1")}`])
      })
  )
})
