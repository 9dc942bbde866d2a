/** What the ways to run have in common is the same in each. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { parse, parseAllDocuments } from "yaml"
import { functions } from "./alone.ts"

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

const Embedded = Schema.Struct({
  spec: Schema.Struct({
    template: Schema.Struct({
      spec: Schema.Struct({
        containers: Schema.Tuple([
          Schema.Struct({ env: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })) })
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
        ["pods", "jobs", "volumes", "claims", "nixbuilds", "networkpolicies"].map((name) => `enbi-functions-${name}`)
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
})

describe("settings", () => {
  it.effect("those of knative/ are those of embedded/", () =>
    Effect.gen(function* () {
      const { spec } = yield* Schema.decodeUnknownEffect(Embedded)(parse(yield* readFile("embedded/deployment.yaml")))
      const lines = (yield* readFile("knative/settings.env")).split("\n").filter((line) => /^[^#]/.test(line))
      assert.deepStrictEqual(
        lines,
        spec.template.spec.containers[0].env.map(({ name, value }) => `${name}=${value}`)
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
