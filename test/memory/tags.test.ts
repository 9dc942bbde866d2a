/** One tag in two namespaces: staging and production of one application. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { leases } from "../../lib/kubernetes/kinds.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { digestsOf, joiningOf, usersOf } from "../../lib/nixbuild/tag-claim.ts"
import { namespace, nixBuild, node, waitingPod } from "./given.ts"
import { allEnd, sameEnd } from "./law.ts"
import { faults } from "./faults.ts"
import { words } from "./plan.ts"
import { play, round, type Stage } from "./story.ts"
import { together } from "./together.ts"

const image = "reg.io/web:1"
const cluster = [namespace("staging"), namespace("production"), node("one"), node("two"), node("three")]

const web = (of: "staging" | "production", nodeName: string, more: { readonly flakeUrl?: string } = {}) =>
  waitingPod({ name: `web-${nodeName}`, namespace: of, nodeName, image, packageName: "good", ...more })

const build = (of: "staging" | "production", more: Partial<Parameters<typeof nixBuild>[0]> = {}) =>
  nixBuild({ name: "web", namespace: of, nodes: ["one"], image, packageName: "good", ...more })

const ofKind = (state: ReadonlyArray<string>, kind: string) => state.filter((line) => line.startsWith(`${kind} `))

const claimIn = ({ api }: Stage) =>
  Effect.map(api.objects.find({ kind: "Lease", namespace: systemNamespace, name: tagLeaseName(image) }), (stored) => {
    const lease = Schema.decodeUnknownSync(leases.schema)(stored)
    return { users: usersOf(lease), joining: joiningOf(lease), digests: digestsOf(lease, "x86_64-linux") }
  }).pipe(Effect.orDie)

/** Rounds until this NixBuild is over. */
const over = Effect.fnUntraced(function* (stage: Stage, of: "staging" | "production") {
  const at = { kind: "NixBuild", namespace: of, name: "web" }
  const text = () => JSON.stringify(stage.api.objects.objects.get(keyOf(at)))
  for (let rounds = 0; !text().includes('"type":"Complete","status":"True"'); rounds += 1) {
    assert.isBelow(rounds, 30, text())
    yield* round(stage)
  }
})

const bothPods = [
  ...cluster,
  web("staging", "one"),
  web("staging", "two"),
  web("production", "two"),
  web("production", "three")
]

describe("the same image", () => {
  it.effect("runs in both, and the claim says which it is and who uses it", () =>
    Effect.gen(function* () {
      let claim: Effect.Success<ReturnType<typeof claimIn>> | undefined
      const { state } = yield* play({
        given: [...cluster, build("staging"), build("production", { nodes: ["two"] })],
        happens: (stage) =>
          Effect.gen(function* () {
            yield* over(stage, "staging")
            yield* over(stage, "production")
            claim = yield* claimIn(stage)
          })
      })
      assert.deepStrictEqual(claim?.users.toSorted(), ["production", "staging"])
      assert.deepStrictEqual(claim?.joining, [])
      assert.lengthOf(claim?.digests ?? [], 1)
      assert.deepStrictEqual(ofKind(state, "NixBuild"), [
        "NixBuild web Succeeded one one:ImagePulled",
        "NixBuild web Succeeded two two:ImagePulled"
      ])
    })
  )

  it.effect("whatever becomes of events, writes and processes: all Pods run", () =>
    Effect.gen(function* () {
      const { state } = yield* play({ given: bothPods })
      assert.lengthOf(
        ofKind(state, "Pod").filter((line) => / web-\w+ Running$/.test(line)),
        4
      )
      yield* sameEnd({
        given: bothPods,
        words: [...words.events, "deliver", ...words.always, ...words.faults],
        runs: 20
      })
      yield* sameEnd({
        given: bothPods,
        replicas: [{}, {}, {}],
        words: [...words.events, ...words.views, ...words.processes, "together", "start", ...words.always],
        runs: 15,
        but: /^Event .* Image(Vanished|Pulled)$/,
        excused: ["what nothing disturbs ends well"]
      })
    })
  )

  it.effect("where one process does not see yet what another created: no Pod is told that it was deleted", () =>
    Effect.gen(function* () {
      for (const seed of [0, 5, 10, 15, 20, 25]) {
        const { state } = yield* play({
          given: bothPods,
          replicas: [{}, {}, {}],
          excused: ["what nothing disturbs ends well"],
          happens: (stage) =>
            Effect.gen(function* () {
              stage.first.condition.lagging.add("NixBuild")
              yield* together(stage, seed)
              yield* stage.first.sweep
            })
        })
        assert.deepStrictEqual(
          state.filter((line) => line.includes("NixBuildDeleted")),
          [],
          `seed ${seed}`
        )
      }
    })
  )

  it.effect("one fault at each request: the same end", () =>
    Effect.gen(function* () {
      const given = [...cluster, build("staging"), build("production", { nodes: ["two"] })]
      const { requests, state } = yield* play({ given })
      yield* allEnd(
        { state },
        requests.flatMap((what, request) =>
          faults
            .filter((_, index) => (index + request) % 8 === 0)
            .map((as) => [`${as} ${what}`, { given, fault: { request, as } }] as const)
        )
      )
    })
  )
})

describe("another image", () => {
  const other = { nodes: ["two"], flakeUrl: "github:another/one" }

  it.effect("is refused, and the first namespace goes on as if nobody else had asked", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: [...cluster, build("staging"), namespace("late")],
        happens: (stage) =>
          Effect.gen(function* () {
            const { objects } = stage.api
            yield* over(stage, "staging")
            yield* Effect.orDie(objects.create(build("production", other)))
            yield* over(stage, "production")
            yield* round(stage)
            assert.deepStrictEqual(yield* claimIn(stage).pipe(Effect.map(({ joining, users }) => [users, joining])), [
              ["staging"],
              []
            ])
            // It may bring what it likes.
            yield* Effect.orDie(objects.remove({ kind: "NixBuild", namespace: "staging", name: "web" }))
            yield* Effect.orDie(objects.create(build("staging", other)))
            yield* over(stage, "staging")
          })
      })
      assert.deepStrictEqual(ofKind(state, "NixBuild"), [
        "NixBuild web Failed TagConflict two two:TagConflict",
        "NixBuild web Succeeded two two:ImagePulled"
      ])
    })
  )

  it.effect("is refused to the first namespace too, while another uses the tag", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: [...cluster, build("staging")],
        happens: (stage) =>
          Effect.gen(function* () {
            const { objects } = stage.api
            yield* over(stage, "staging")
            yield* Effect.orDie(objects.create(build("production", { nodes: ["two"] })))
            yield* over(stage, "production")
            yield* Effect.orDie(objects.remove({ kind: "NixBuild", namespace: "staging", name: "web" }))
            yield* Effect.orDie(objects.create(build("staging", { nodes: ["three"], flakeUrl: "github:another/one" })))
          })
      })
      assert.deepStrictEqual(ofKind(state, "NixBuild"), [
        "NixBuild web Failed TagConflict three three:TagConflict",
        "NixBuild web Succeeded two two:ImagePulled"
      ])
    })
  )

  it.effect("that the first namespace began to bring before another joined is waited for: then nobody comes in", () =>
    Effect.gen(function* () {
      const flakeUrl = "github:odd/one"
      const ends = new Set<string>()
      // In one sweep, whose import begins first depends on who asked first.
      for (const isFirst of [true, false]) {
        const { state } = yield* play({
          given: [...cluster, build("staging", { flakeUrl })],
          // Its own nodes have what each of them has built.
          excused: ["all nodes that have the image have the same one"],
          happens: (stage) =>
            Effect.gen(function* () {
              const { objects } = stage.api
              yield* over(stage, "staging")
              const at = { kind: "NixBuild", namespace: "staging", name: "web" }
              const further = Effect.orDie(objects.patch(at, { spec: { nodes: ["one", "two"] } }))
              if (isFirst) yield* further
              yield* Effect.orDie(objects.create(build("production", { nodes: ["three"], flakeUrl })))
              if (!isFirst) yield* further
              while ((yield* claimIn(stage)).joining.length === 0) yield* round(stage)
            })
        })
        ends.add(ofKind(state, "NixBuild").join())
      }
      assert.deepStrictEqual([...ends].toSorted(), [
        "NixBuild web Importing three three:TagConflict,NixBuild web Succeeded one two one:ImagePulled two:ImagePulled",
        "NixBuild web Succeeded one two one:ImagePulled two:TagConflict,NixBuild web Succeeded three three:ImagePulled"
      ])
    })
  )

  it.effect("never comes to any node under a tag that two namespaces use, whatever happens", () =>
    Effect.gen(function* () {
      const either = { but: /./, excused: ["what nothing disturbs ends well"] as const }
      const disturbed = [...words.events, "deliver", ...words.always] as const
      for (const flakeUrl of ["github:odd/one", "github:moving/one"]) {
        const given = [
          ...cluster,
          build("staging", { nodes: ["one", "two"], flakeUrl }),
          build("production", { nodes: ["three", "one"], flakeUrl: flakeUrl.replace("moving", "odd") })
        ]
        yield* sameEnd({ given, ...either, words: [...disturbed, ...words.faults], runs: 15 })
        const replicas = [{}, {}, {}]
        yield* sameEnd({
          given,
          ...either,
          replicas,
          words: [...disturbed, ...words.views, ...words.processes],
          runs: 15
        })
      }
    })
  )
})

describe("while no image is known", () => {
  it.effect("the second waits, and is built when the first is there", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: [...cluster, build("staging")],
        happens: (stage) =>
          Effect.gen(function* () {
            yield* round(stage)
            yield* Effect.orDie(stage.api.objects.create(build("production", { nodes: ["two"] })))
            yield* round(stage)
            const at = { kind: "NixBuild", namespace: "production", name: "web" }
            assert.include(JSON.stringify(stage.api.objects.objects.get(keyOf(at))), '"reason":"TagPending"')
          })
      })
      assert.lengthOf(
        ofKind(state, "NixBuild").filter((line) => line.includes("Succeeded")),
        2
      )
    })
  )

  it.effect("and if the first fails, the tag stays its own", () =>
    Effect.gen(function* () {
      const { state } = yield* play({
        given: [...cluster, build("staging", { packageName: "bad" })],
        happens: (stage) =>
          Effect.gen(function* () {
            yield* round(stage)
            yield* Effect.orDie(stage.api.objects.create(build("production", { nodes: ["two"] })))
          })
      })
      assert.deepStrictEqual(ofKind(state, "NixBuild"), [
        "NixBuild web Failed BuildFailed one one:BuildFailed",
        "NixBuild web Pending two"
      ])
    })
  )
})
