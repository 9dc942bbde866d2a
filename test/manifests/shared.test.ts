/** What the ways to run have in common is the same in each. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { parse, parseAllDocuments } from "yaml"
import { containerOf } from "../../generate/container.ts"
import { functions } from "./alone.ts"
import { built, canBuild, folders } from "./built.ts"

const readFile = (path: string) =>
  FileSystem.FileSystem.pipe(
    Effect.flatMap((files) => files.readFileString(path)),
    Effect.provide(NodeServices.layer)
  )

const Policy = Schema.Struct({
  metadata: Schema.Struct({ name: Schema.String }),
  spec: Schema.Struct({
    matchConditions: Schema.Array(Schema.Struct({ name: Schema.Literal("our-account"), expression: Schema.String }))
  })
})

const Binding = Schema.Struct({
  kind: Schema.Literal("ValidatingAdmissionPolicyBinding"),
  metadata: Schema.Struct({ name: Schema.String }),
  spec: Schema.Struct({
    policyName: Schema.String,
    validationActions: Schema.Tuple([Schema.Literal("Deny")])
  })
})

const Role = Schema.Struct({
  kind: Schema.Literals(["Role", "ClusterRole"]),
  rules: Schema.Array(Schema.Struct({ resources: Schema.Array(Schema.String), verbs: Schema.Array(Schema.String) }))
})

/** All that accounts of ours may do but read. What would start an image, or choose it, must not be there. */
const writes = [
  "create events",
  "create jobs",
  "create leases",
  "create networkpolicies",
  "create nixbuilds",
  "create niximages",
  "create persistentvolumeclaims",
  "create persistentvolumes",
  "create pods",
  "create tokenreviews",
  "delete jobs",
  "delete leases",
  "delete networkpolicies",
  "delete nixbuilds",
  "delete persistentvolumeclaims",
  "delete persistentvolumes",
  "patch leases",
  "patch networkpolicies",
  "patch nixbuilds",
  "patch nixbuilds/status",
  "patch niximages/status",
  "patch pods",
  "update nixbuilds/finalizers",
  "use builderimages"
]

const Embedded = Schema.Struct({
  spec: Schema.Struct({
    template: Schema.Struct({
      spec: Schema.Struct({
        containers: Schema.Tuple([
          Schema.Struct({
            env: Schema.Array(
              Schema.Struct({
                name: Schema.String,
                value: Schema.optionalKey(Schema.String),
                valueFrom: Schema.optionalKey(Schema.Unknown)
              })
            )
          })
        ])
      })
    })
  })
})

describe("system", () => {
  it.effect("each policy about the functions holds for the account of each, and for nobody else", () =>
    Effect.gen(function* () {
      const files = yield* Effect.forEach(["policies", "network-policies"], (name) => readFile(`system/${name}.yaml`))
      const documents = files.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()))
      const isPolicy = Schema.is(Policy)
      const policies = documents.filter((document) => isPolicy(document))
      assert.sameMembers(
        policies.map(({ metadata }) => metadata.name),
        ["pods", "jobs", "images", "volumes", "claims", "nixbuilds", "networkpolicies"].map(
          (name) => `enbi-functions-${name}`
        )
      )
      for (const { spec } of policies) {
        const [condition, ...more] = spec.matchConditions
        assert.isEmpty(more)
        const [, prefix = ""] =
          /^request\.userInfo\.username\.startsWith\("(.+)"\)$/.exec(condition?.expression ?? "") ?? []
        const isMeant = (namespace: string, account: string) =>
          prefix !== "" && `system:serviceaccount:${namespace}:${account}`.startsWith(prefix)
        for (const account of ["enbi-functions", ...functions.map(({ name }) => name)]) {
          assert.isTrue(isMeant("enbi-system", account), account)
          assert.isFalse(isMeant("enbi-system-2", account))
          assert.isFalse(isMeant("apps", account))
        }
      }
    })
  )

  it.effect("each policy is bound", () =>
    Effect.gen(function* () {
      const documents = parseAllDocuments(yield* readFile("system/policies.yaml")).map((document) => document.toJS())
      const isBinding = Schema.is(Binding)
      const bindings = documents.filter((document) => isBinding(document))
      const policies = documents.filter((document) => document["kind"] === "ValidatingAdmissionPolicy")
      assert.lengthOf(documents, bindings.length + policies.length)
      assert.sameMembers(
        bindings.map(({ spec }) => spec.policyName),
        policies.map((document) => document["metadata"]["name"])
      )
    })
  )

  it.skipIf(!canBuild)(
    "no account writes what says which image is the builder's, or has another way to an image",
    () => {
      const roles = folders.flatMap((folder) => built[folder]).filter((object) => Schema.is(Role)(object))
      const found = roles.flatMap(({ rules }) =>
        rules.flatMap(({ resources, verbs }) =>
          resources.flatMap((resource) =>
            verbs.filter((verb) => !["get", "list", "watch"].includes(verb)).map((verb) => `${verb} ${resource}`)
          )
        )
      )
      assert.deepStrictEqual([...new Set(found)].toSorted(), writes)
    }
  )
})

describe("settings", () => {
  it.effect("those of knative/ are those of embedded/", () =>
    Effect.gen(function* () {
      const { spec } = yield* Schema.decodeUnknownEffect(Embedded)(parse(yield* readFile("embedded/deployment.yaml")))
      const lines = (yield* readFile("knative/settings.env")).split("\n").filter((line) => /^[^#]/.test(line))
      assert.deepStrictEqual(
        lines,
        spec.template.spec.containers[0].env.flatMap(({ name, value }) =>
          value === undefined ? [] : [`${name}=${value}`]
        )
      )
      assert.deepStrictEqual(
        spec.template.spec.containers[0].env.filter(({ value }) => value === undefined),
        containerOf({ name: "any" }).env
      )
    })
  )
})

describe("knative", () => {
  it.effect("has no file of a function that is gone", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      assert.sameMembers(yield* files.readDirectory("knative"), [
        "kustomization.yaml",
        "references.yaml",
        "settings.env",
        ...functions.map(({ name }) => `${name}.yaml`)
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
