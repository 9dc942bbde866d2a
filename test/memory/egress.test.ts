/** What builds may reach, from one build of a namespace to its next. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { claimName, egressPolicyName } from "../../lib/api/names.ts"
import { namespace, nixBuild, node } from "./given.ts"
import { play, round, type Stage } from "./story.ts"

const policyAt = { kind: "NetworkPolicy", namespace: "apps", name: egressPolicyName }
const claimAt = { kind: "PersistentVolumeClaim", namespace: "apps", name: claimName("one") }
const build = (name: string) => nixBuild({ name, nodes: ["one"], image: `reg.io/${name}:1`, packageName: "good" })
const given = [namespace("apps"), node("one"), build("first")]

const policyIn = ({ api }: Stage) => api.objects.objects.get(keyOf(policyAt))
const launchedOf = ({ api }: Stage, name: string): string =>
  JSON.stringify(api.objects.objects.get(keyOf({ kind: "NixBuild", namespace: "apps", name })) ?? {})

/** Rounds until it is built. */
const built = Effect.fnUntraced(function* (stage: Stage, name: string) {
  for (let rounds = 0; !launchedOf(stage, name).includes('"status":"Succeeded"'); rounds += 1) {
    assert.isBelow(rounds, 20, launchedOf(stage, name))
    yield* round(stage)
  }
})

/** What is there when a second NixBuild is built after something happened to the namespace of the first. */
const afterFirst = (happens: (stage: Stage) => Effect.Effect<unknown, unknown>) => {
  let words = ""
  return Effect.map(
    play({
      given,
      // A story of two NixBuilds says so itself.
      happens: (stage) =>
        Effect.gen(function* () {
          yield* built(stage, "first")
          assert.isDefined(policyIn(stage), "of the first")
          yield* happens(stage)
          yield* stage.api.objects.create(build("second"))
          yield* built(stage, "second")
          words = launchedOf(stage, "second")
        }).pipe(Effect.orDie)
    }),
    ({ state, writes }) => ({ words, hasPolicy: state.includes(`NetworkPolicy ${egressPolicyName}`), writes })
  )
}

const annotate = ({ api }: Stage, value: string) =>
  api.objects.patch(
    { kind: "Namespace", name: "apps" },
    { metadata: { annotations: { "enbi.hrzn.ee/build-egress": value } } }
  )

const foreign = (spec: object) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "theirs", namespace: "apps" },
  spec
})

describe("the policy of builds", () => {
  it.effect("is made once for a namespace", () =>
    Effect.gen(function* () {
      const { hasPolicy, words, writes } = yield* afterFirst(() => Effect.void)
      assert.isTrue(hasPolicy)
      assert.lengthOf(
        writes.filter((write) => write.includes("NetworkPolicy")),
        1
      )
      assert.notInclude(words, "It may reach")
    })
  )

  it.effect("goes when somebody else's holds builds, and comes back when theirs is gone", () =>
    Effect.gen(function* () {
      const theirs = foreign({ podSelector: {}, policyTypes: ["Ingress", "Egress"] })
      const { hasPolicy } = yield* afterFirst(({ api }) => api.objects.create(theirs))
      assert.isFalse(hasPolicy)
      const back = yield* afterFirst((stage) =>
        Effect.gen(function* () {
          yield* stage.api.objects.create(theirs)
          yield* stage.api.objects.create(build("between"))
          yield* built(stage, "between")
          assert.isUndefined(policyIn(stage))
          yield* stage.api.objects.remove({ ...policyAt, name: "theirs" })
        })
      )
      assert.isTrue(back.hasPolicy)
    })
  )

  it.effect("stays beside one about what comes in", () =>
    Effect.gen(function* () {
      const theirs = foreign({ podSelector: {}, policyTypes: ["Ingress"] })
      assert.isTrue((yield* afterFirst(({ api }) => api.objects.create(theirs))).hasPolicy)
    })
  )

  it.effect("goes when the Namespace asks for open builds", () =>
    Effect.gen(function* () {
      const { hasPolicy, words } = yield* afterFirst((stage) => annotate(stage, "open"))
      assert.isFalse(hasPolicy)
      assert.notInclude(words, "It may reach")
    })
  )

  it.effect("is what it was again after somebody changed it", () =>
    play({
      given,
      happens: (stage) =>
        Effect.gen(function* () {
          yield* built(stage, "first")
          const before = policyIn(stage)?.["spec"]
          const podSelector = { matchLabels: { a: "b" }, matchExpressions: null }
          yield* stage.api.objects.patch(policyAt, { spec: { podSelector, egress: [{}] } })
          yield* stage.api.objects.create(build("second"))
          yield* built(stage, "second")
          assert.deepEqual(policyIn(stage)?.["spec"], before)
        }).pipe(Effect.orDie)
    })
  )

  it.effect("is not made where a cache is of a former version: all stays open, and each NixBuild says so", () =>
    Effect.gen(function* () {
      const old = { metadata: { annotations: { "enbi.hrzn.ee/follows-build-egress": null } } }
      const { hasPolicy, words } = yield* afterFirst((stage) =>
        Effect.gen(function* () {
          yield* stage.api.objects.patch(claimAt, old)
          yield* stage.api.objects.remove(policyAt)
        })
      )
      assert.isFalse(hasPolicy)
      assert.include(words, "kubectl annotate namespace apps enbi.hrzn.ee/build-egress=public")
      const asked = yield* afterFirst((stage) =>
        Effect.andThen(stage.api.objects.patch(claimAt, old), annotate(stage, "public"))
      )
      assert.isTrue(asked.hasPolicy)
      assert.notInclude(asked.words, "It may reach")
    })
  )

  it.effect("a word that means nothing holds builds up until it is mended", () =>
    afterFirst((stage) =>
      Effect.gen(function* () {
        yield* annotate(stage, "opne")
        yield* stage.api.objects.create(build("between"))
        for (let rounds = 0; rounds < 4; rounds += 1) yield* round(stage)
        assert.include(launchedOf(stage, "between"), "BuildEgressInvalid")
        assert.isDefined(policyIn(stage))
        yield* annotate(stage, "public")
      })
    )
  )
})
