/** Slots: never more build containers on a node than it may have, and who waits holds none. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { namespace, nixBuild, node } from "./given.ts"
import { follow, plansOf, words } from "./plan.ts"
import fc from "fast-check"
import { isFields, type Stored } from "../../lib/memory/objects.ts"
import { play, round, type Script, type Stage } from "./story.ts"

const maxBuildsPerNode = 2

const builds = (count: number, nodes: ReadonlyArray<string>) =>
  Array.from({ length: count }, (_, index) =>
    nixBuild({ name: `b-${index}`, nodes, image: `reg.io/b-${index}:1`, packageName: "good" })
  )

const isBuilding = ({ kind, metadata, spec, status }: Stored): boolean =>
  kind === "Pod" &&
  metadata.labels?.["app.kubernetes.io/managed-by"] === managedBy["app.kubernetes.io/managed-by"] &&
  isFields(status) &&
  status["phase"] === "Running" &&
  JSON.stringify(spec).includes('"name":"build"')

const nodeOf = ({ spec }: Stored): string => (isFields(spec) ? String(spec["nodeName"]) : "")

/** Tells when a node has more build containers than it may. */
const countContainers = ({ api: { objects } }: Stage): ReadonlyArray<string> => {
  const breaches: Array<string> = []
  objects.observers.push(() => {
    const counts = Map.groupBy([...objects.objects.values()].filter(isBuilding), nodeOf)
    for (const [name, pods] of counts) if (pods.length > maxBuildsPerNode) breaches.push(`${name}: ${pods.length}`)
  })
  return breaches
}

const rounds = Effect.fnUntraced(function* (stage: Stage, count: number) {
  for (let done = 0; done < count; done += 1) {
    yield* round(stage)
    yield* stage.first.deliverAll
  }
})

const conditionsIn = ({ api: { objects } }: Stage): ReadonlyArray<string> =>
  [...objects.objects.values()]
    .filter(({ kind }) => kind === "NixBuild")
    .map(({ status }) => JSON.stringify(isFields(status) ? status["conditions"] : []))

/** All of them end well. */
const endsWell = Effect.fnUntraced(function* (script: Script, count: number) {
  let breaches: ReadonlyArray<string> = []
  const { attempts, state } = yield* play({
    ...script,
    replicas: [{ maxBuildsPerNode }],
    happens: (stage) =>
      Effect.suspend(() => {
        breaches = countContainers(stage)
        return script.happens?.(stage) ?? Effect.void
      })
  })
  assert.lengthOf(
    state.filter((line) => /^NixBuild .* Succeeded/.test(line)),
    count,
    state.join("\n")
  )
  assert.deepStrictEqual(breaches, [])
  return attempts
})

it.effect(
  "sixty builds on six slots: each is told once how many wait before it, and not again with each that ends",
  () =>
    Effect.gen(function* () {
      const writes: Array<string> = []
      yield* endsWell(
        {
          given: [namespace("apps"), node("one"), node("two"), node("three"), ...builds(60, [])],
          happens: (stage) =>
            Effect.gen(function* () {
              yield* rounds(stage, 1)
              const told = conditionsIn(stage).filter((conditions) => conditions.includes("NoFreeSlot"))
              assert.isAtLeast(told.length, 54)
              yield* rounds(stage, 60)
              writes.push(...stage.api.writes)
            })
        },
        60
      )
      const patches = writes.filter((write) => /^patch NixBuild\/.*\/status$/.test(write))
      const most = Math.max(...[...Map.groupBy(patches, (write) => write).values()].map(({ length }) => length))
      // Waits, has a node, has a Job, has built, is imported.
      assert.isAtMost(most, 5)
    })
)

describe("an obstacle on a node", () => {
  it.effect("fifty builds behind it: one tries at a time, and all build once it is gone", () =>
    Effect.gen(function* () {
      let tries = 0
      yield* endsWell(
        {
          given: [namespace("apps"), node("one"), ...builds(50, ["one"])],
          happens: (stage) =>
            Effect.gen(function* () {
              stage.world.full.add("build one")
              yield* rounds(stage, 4)
              const before = stage.api.writes.length
              yield* rounds(stage, 20)
              tries = stage.api.writes.slice(before).filter((write) => write.startsWith("create Job")).length
              for (const conditions of conditionsIn(stage)) assert.include(conditions, "1 Insufficient memory")
              stage.world.full.clear()
              yield* rounds(stage, 60)
            })
        },
        50
      )
      // Ten minutes, at least half a minute between two tries.
      assert.isAtLeast(tries, 2)
      assert.isAtMost(tries, 20)
    })
  )

  it.effect("builds of other resources go on beside it", () =>
    Effect.gen(function* () {
      const free = nixBuild({ name: "free", nodes: ["two"], image: "reg.io/free:1", packageName: "good" })
      yield* endsWell(
        {
          given: [namespace("apps"), node("one"), node("two"), ...builds(4, ["one"]), free],
          happens: (stage) =>
            Effect.gen(function* () {
              stage.world.full.add("build one")
              yield* rounds(stage, 8)
              const succeeded = conditionsIn(stage).filter((conditions) => conditions.includes("BuildFinished"))
              assert.lengthOf(succeeded, 1)
              stage.world.full.clear()
            })
        },
        5
      )
    })
  )

  it.effect("a build that any node may do goes to another", () =>
    Effect.gen(function* () {
      const [anywhere] = builds(1, [])
      assert.isDefined(anywhere)
      yield* endsWell(
        {
          given: [namespace("apps"), node("one"), node("two"), anywhere ?? namespace("none")],
          happens: (stage) =>
            Effect.gen(function* () {
              for (const name of ["one", "two"]) stage.world.full.add(`build ${name}`)
              yield* rounds(stage, 3)
              stage.world.full.delete("build two")
              yield* rounds(stage, 8)
              const [conditions = ""] = conditionsIn(stage)
              assert.include(conditions, "BuildFinished")
              stage.world.full.clear()
            })
        },
        1
      )
    })
  )
})

it.effect(
  "whatever is lost, late or told twice, with an obstacle that comes and goes: never more than two on a node",
  () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(plansOf(...words.events, ...words.always, ...words.faults), fc.nat(2), (plan, phase) =>
          Effect.runPromise(
            endsWell(
              {
                given: [namespace("apps"), node("one"), node("two"), ...builds(4, ["one", "two"]), ...more],
                happens: (stage) =>
                  Effect.gen(function* () {
                    if (phase > 0) stage.world.full.add("build one")
                    yield* follow(plan)(stage)
                    yield* rounds(stage, phase)
                    stage.world.full.clear()
                  })
              },
              6
            ).pipe(Effect.asVoid)
          )
        ),
        { numRuns: 20 }
      )
    )
)

const more = ["x", "y"].map((name) => nixBuild({ name, nodes: [], image: `reg.io/${name}:1`, packageName: "good" }))

it.effect("a webhook denies without a code: it is told, others go on, and it goes on by itself", () =>
  Effect.gen(function* () {
    yield* endsWell(
      {
        given: [namespace("apps"), namespace("other"), node("one"), ...builds(3, ["one"])],
        happens: (stage) =>
          Effect.gen(function* () {
            stage.api.fate.faultOf = ({ what }) => (what.startsWith("dry-run Pod") ? "denied" : undefined)
            yield* rounds(stage, 1)
            for (const conditions of conditionsIn(stage)) assert.notInclude(conditions, "PodRefused")
            yield* rounds(stage, 3)
            for (const conditions of conditionsIn(stage)) assert.include(conditions, "PodRefused")
            stage.api.fate.faultOf = () => undefined
          })
      },
      3
    )
  })
)

it.effect("a node is cordoned while its builds are refused: they go on when all is well again", () =>
  endsWell(
    {
      given: [namespace("apps"), node("one"), ...builds(3, ["one"])],
      happens: (stage) =>
        Effect.gen(function* () {
          const cordon = (unschedulable: boolean) =>
            Effect.orDie(stage.api.objects.patch({ kind: "Node", name: "one" }, { spec: { unschedulable } }))
          stage.api.fate.faultOf = ({ what }) => (what.startsWith("dry-run Pod") ? "denied" : undefined)
          yield* rounds(stage, 4)
          yield* cordon(true)
          yield* rounds(stage, 3)
          yield* cordon(false)
          yield* rounds(stage, 3)
          stage.api.fate.faultOf = () => undefined
        })
    },
    3
  )
)

it.effect("a quota lets no Job be made although it lets its Pod: asked again with back-off, and told", () =>
  Effect.gen(function* () {
    let tries = 0
    yield* endsWell(
      {
        given: [namespace("apps"), namespace("other"), node("one"), ...builds(3, ["one"])],
        happens: (stage) =>
          Effect.gen(function* () {
            const message = "exceeded quota: few, requested: count/jobs.batch=1"
            stage.api.fate.refusalOf = (at) => (at.kind === "Job" && at.namespace === "apps" ? message : undefined)
            yield* rounds(stage, 4)
            for (const conditions of conditionsIn(stage)) assert.include(conditions, message)
            const before = stage.api.writes.length
            yield* rounds(stage, 20)
            tries = stage.api.writes.length - before
            stage.api.fate.refusalOf = () => undefined
          })
      },
      3
    )
    // Ten minutes: two writes for each try, and a try every two minutes.
    assert.isAtMost(tries, 30)
  })
)

it.effect("a status that can't be written holds up no other build", () =>
  endsWell(
    {
      given: [namespace("apps"), node("one"), ...builds(2, ["one"])],
      happens: (stage) =>
        Effect.gen(function* () {
          stage.api.fate.faultOf = ({ what }) => (what === "patch NixBuild/apps/b-0/status" ? "denied" : undefined)
          yield* rounds(stage, 8)
          const done = conditionsIn(stage).filter((conditions) => conditions.includes("BuildFinished"))
          assert.lengthOf(done, 1)
          stage.api.fate.faultOf = () => undefined
        })
    },
    2
  )
)
