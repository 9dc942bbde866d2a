/** Each folder's objects are such as Kubernetes and Knative take, fit together, and are broken by any change that we know of. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { version } from "../../lib/version.ts"
import { builderKey, builderName } from "../../generate/container.ts"
import { broken } from "./broken.ts"
import { built, canBuild, filesOf, type Folder } from "./built.ts"
import { changedAt, fieldsOf, misspelledAt } from "./fields.ts"
import { problemsIn } from "./lint.ts"
import { nameOf, of, read } from "./manifest.ts"

/** Kinds that system/ brings for all ways to run; the cluster tests apply them. */
const ofSystem = new Set([
  "CustomResourceDefinition",
  "Namespace",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding"
])

const ownOf = (objects: ReadonlyArray<unknown>) => objects.filter((object) => !ofSystem.has(nameOf(object)))

/** What is wrong with them, each by itself or all together. */
const lint = (objects: ReadonlyArray<unknown>): ReadonlyArray<string> => {
  const exit = Effect.runSyncExit(Effect.forEach(ownOf(objects), read))
  return Exit.isSuccess(exit) ? problemsIn(exit.value) : ["is not taken"]
}

const BuilderRole = Schema.Struct({
  kind: Schema.Literal("Role"),
  metadata: Schema.Struct({ name: Schema.Literal(builderName) })
})

const withServing = [...built.knative, ...built.eventing]
const withoutServing = built["without-serving"]
const inBigCluster = [...built.knative, ...built["examples/big-cluster"]]

describe("manifests as they stand in the files", () => {
  const handmade: ReadonlyArray<Folder> = ["knative", "eventing"]
  for (const folder of handmade) {
    it.effect(`${folder}: each would be taken`, () =>
      Effect.gen(function* () {
        const objects = ownOf(yield* Effect.promise(() => filesOf(folder)))
        assert.isAbove(objects.length, 20)
        yield* Effect.forEach(objects, read)
      })
    )
  }
})

describe.skipIf(!canBuild)("manifests as kustomize builds them", () => {
  for (const [what, objects] of Object.entries({
    "knative and eventing": withServing,
    "without-serving": withoutServing
  })) {
    it.effect(`${what}: each is taken, and they fit together`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(problemsIn(yield* Effect.forEach(ownOf(objects), read)), [])
      })
    )
  }

  it("examples/big-cluster: the sweep alone tells of Nodes", () => {
    assert.deepStrictEqual(lint(inBigCluster), ["nobody tells of Node"])
  })

  it.effect("examples/oidc: the Broker's tokens are for whom the functions expect, who may ask about them", () =>
    Effect.gen(function* () {
      const objects = ownOf(built["examples/oidc"])
      const isReviewing = (object: unknown) => JSON.stringify(object).includes("enbi-token-reviews")
      const all = yield* Effect.forEach(
        objects.filter((object) => !isReviewing(object)),
        read
      )
      assert.deepStrictEqual(problemsIn(all), [])
      const settings = of("ConfigMap", all).find(({ data }) => "OIDC_AUDIENCE" in data)
      const { OIDC_AUDIENCE: audience } = settings?.data ?? {}
      assert.isDefined(audience)
      const triggers = of("Trigger", all)
      assert.deepStrictEqual(new Set(triggers.map(({ spec }) => spec.subscriber.audience)), new Set([audience]))
      assert.deepInclude(objects.filter(isReviewing), {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRole",
        metadata: { name: "enbi-token-reviews" },
        rules: [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }]
      })
      const [binding] = objects.filter((object) => isReviewing(object) && nameOf(object) === "ClusterRoleBinding")
      assert.deepInclude(binding, {
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "enbi-token-reviews" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:serviceaccounts:enbi-system" }]
      })
    })
  )

  it("embedded, also from a registry of one's own: another builder image is admitted and starts the functions anew", () => {
    for (const [folder, prefix] of [
      ["embedded", ""],
      ["examples/own-registry", "registry.example.org/tools/"]
    ] as const) {
      const objects = built[folder]
      assert.isAbove(objects.length, 15)
      const image = `${prefix}enbi-builder:${version}`
      const configMap = objects.find((object) => nameOf(object) === "ConfigMap")
      const deployment = objects.find((object) => nameOf(object) === "Deployment")
      assert.nestedPropertyVal(configMap, "metadata.name", builderName)
      const role = objects.find((object) => Schema.is(BuilderRole)(object))
      assert.nestedPropertyVal(role, "rules[0].resourceNames[0]", image)
      assert.nestedPropertyVal(configMap, `data.${builderKey}`, image)
      assert.nestedPropertyVal(deployment, "spec.template.metadata.annotations.enbi\\.hrzn\\.ee/builder-image", image)
      const functions = `${prefix}enbi-functions:${version}`
      assert.nestedPropertyVal(deployment, "spec.template.spec.containers[0].image", functions)
    }
  })
})

/** An object that has a field, with all that it belongs to. */
interface Place {
  readonly kind: string
  readonly field: string
  readonly object: unknown
  readonly objects: ReadonlyArray<unknown>
}

/** One for each field of each kind. */
const places = new Map<string, Place>(
  [withServing, withoutServing, inBigCluster].flatMap((objects) =>
    ownOf(objects).flatMap((object) =>
      fieldsOf(object).map((field) => {
        const kind = nameOf(object)
        return [`${kind} ${field}`, { kind, field, object, objects }] as const
      })
    )
  )
)

const holdsOthers = ({ field, kind }: Place): boolean =>
  [...places.keys()].some((other) => other.startsWith(`${kind} ${field}.`) || other.startsWith(`${kind} ${field}[`))

const problemsBefore = new Map([withServing, withoutServing, inBigCluster].map((objects) => [objects, lint(objects)]))

const isRefused = ({ object, objects }: Place, changed: unknown): boolean => {
  const after = lint(objects.map((one) => (one === object ? changed : one)))
  return after.join() !== problemsBefore.get(objects)?.join()
}

describe.skipIf(!canBuild)("each field of a manifest", () => {
  for (const [kind, all] of Map.groupBy(places.values(), (place) => place.kind)) {
    it(`${kind}: a broken value is refused`, () => {
      for (const place of all.filter((one) => !holdsOthers(one))) {
        const values = broken[place.field] ?? []
        assert.isNotEmpty(values, `test/manifests/broken.ts has no broken value for ${place.field}`)
        for (const value of values) {
          const changed = changedAt(place.object, place.field, () => value)
          assert.isTrue(isRefused(place, changed), `${place.field}: ${JSON.stringify(value)} is taken`)
        }
      }
    })

    it(`${kind}: a misspelled name is refused`, () => {
      for (const place of all.filter(({ field }) => !field.endsWith("*"))) {
        assert.isTrue(isRefused(place, misspelledAt(place.object, place.field)), `${place.field} may be misspelled`)
      }
    })
  }
})
