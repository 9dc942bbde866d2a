/** What becomes of our Jobs where nobody says that the image is the builder's, and that all goes on by itself when it is said. */
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Option, Schema } from "effect"
import { parseAllDocuments } from "yaml"
import { conditionsOf, nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  apply,
  becomes,
  builderImage,
  complete,
  eventually,
  makeNamespace,
  nixBuild,
  refusalOf,
  remove,
  services,
  when
} from "./cluster.ts"
import { account, job } from "./policy-jobs.ts"

const theirs = { as: account }
const theirDryRun = { ...theirs, dryRun: true }
const dryRun = { dryRun: true }

const other = "registry.invalid/other:1"

const Policy = Schema.Struct({
  apiVersion: Schema.String,
  kind: Schema.Literal("ValidatingAdmissionPolicy"),
  metadata: Schema.Struct({ name: Schema.Literal("enbi-functions-images") }),
  spec: Schema.StructWithRest(Schema.Struct({ matchConstraints: Schema.Record(Schema.String, Schema.Unknown) }), [
    Schema.Record(Schema.String, Schema.Unknown)
  ])
})

/** The policy once more, for one namespace and a Role there, so that nobody else's Jobs are refused. */
const copyFor = Effect.fnUntraced(function* (ns: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString("system/policies.yaml")
  const place = '.namespace("enbi-system")'
  assert.include(text, place)
  const documents = parseAllDocuments(text.replaceAll(place, `.namespace("${ns}")`))
  const [policy] = documents.map((document): unknown => document.toJS()).filter(Schema.is(Policy))
  if (policy === undefined) return assert.fail("the policy of images has another shape")
  const metadata = { name: `enbi-test-${ns}`, labels: { "enbi.hrzn.ee/test": "" } }
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": ns } }
  const matchConstraints = { ...policy.spec.matchConstraints, namespaceSelector }
  return [
    { ...policy, metadata, spec: { ...policy.spec, matchConstraints } },
    {
      apiVersion: policy.apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName: metadata.name, validationActions: ["Deny"] }
    }
  ] as const
})

const group = "rbac.authorization.k8s.io"

const roleOf = (namespace: string, ...resourceNames: ReadonlyArray<string>) => ({
  apiVersion: `${group}/v1`,
  kind: "Role",
  metadata: { namespace, name: "enbi-builder" },
  rules: [{ apiGroups: ["enbi.hrzn.ee"], resources: ["builderimages"], verbs: ["use"], resourceNames }]
})

const bindingOf = (namespace: string) => ({
  apiVersion: `${group}/v1`,
  kind: "RoleBinding",
  metadata: { namespace, name: "enbi-builder" },
  roleRef: { apiGroup: group, kind: "Role", name: "enbi-builder" },
  subjects: [{ apiGroup: group, kind: "Group", name: "system:serviceaccounts:enbi-system" }]
})

it.live("without the Role: what is ours is refused and told, the rest goes on, and it goes on by itself after", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("policies-unknown")
    const copy = yield* copyFor(ns)
    const build = { namespace: ns, name: "build" }
    const here = { namespace: ns, name: "j" }
    const there = job({ namespace: ns, name: "there" })
    const removed = Effect.forEach(copy, (object) =>
      Effect.orDie(remove(object, { namespace: "", name: object.metadata.name }))
    )
    const words = `does not list the image ${builderImage}: if it is the builder's, add it there; if it was, restart`
    const refused = (is: boolean) =>
      eventually(
        is ? "the copy of the policy is in force" : "the image is known",
        Effect.map(refusalOf(job(here), "create", theirDryRun), (refusal) =>
          when(refusal, is ? refusal.includes(words) : refusal === "")
        )
      )
    yield* Effect.gen(function* () {
      yield* apply(there)
      yield* apply(...copy)
      yield* refused(true)
      // What others make, and all that ends what is there.
      assert.strictEqual(yield* refusalOf(job(here), "create", dryRun), "")
      assert.strictEqual(yield* refusalOf(there, "delete", theirs), "")

      yield* apply(nixBuild(build, {}))
      yield* becomes(
        "the refusal is on the NixBuild",
        nixBuilds,
        build,
        Option.filter((found) =>
          conditionsOf(found).some(
            ({ message, reason, type }) => type === "Launched" && reason === "PodRefused" && message.includes(words)
          )
        )
      )
      yield* apply(roleOf(ns, other), bindingOf(ns))
      yield* refused(true)
      // As while one version follows another.
      yield* apply(roleOf(ns, other, builderImage))
      yield* refused(false)
      assert.strictEqual((yield* complete(build)).status?.status, "Succeeded")
    }).pipe(Effect.ensuring(removed))
  }).pipe(Effect.provide(services))
)
