/** That the functions' account starts no image but the builder's, whatever it asks for. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { apply, builderImage, kubectl, makeNamespace, refusalOf, services } from "./cluster.ts"
import { account, container, job, mounting } from "./policy-jobs.ts"

const theirs = { as: account }
const theirDryRun = { ...theirs, dryRun: true }

const evil = "registry.invalid/evil:1"

it.live("no image but that of the Role, in build, import and volume Jobs, in dry runs and for real", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("policies-images")
    const system = { namespace: "enbi-system", name: "policy-image" }
    const ownOf = (program: string, image: string) => ({
      containers: [{ ...container(system.namespace), args: [`/app/${program}.js`], image }]
    })
    const table = [
      (image: string) => job({ namespace: ns, name: "build" }, { containers: [{ ...container(ns), image }] }),
      (image: string) => job(system, { ...ownOf("import", image), ...mounting("/run/containerd/containerd.sock") }),
      (image: string) => job(system, { ...ownOf("prepare-volume", image), ...mounting("/var/lib/enbi") }, managedBy),
      (image: string) => job(system, { ...ownOf("remove-volume", image), ...mounting("/var/lib/enbi") }, managedBy)
    ]
    for (const make of table) {
      assert.strictEqual(yield* refusalOf(make(builderImage), "create", theirDryRun), "")
      // The same in other words, and what only begins or ends like it, is another image to the policy.
      const [name, tag] = builderImage.split(":")
      for (const image of [evil, `docker.io/library/${builderImage}`, `${builderImage}x`, `${name}`, `x:${tag}`]) {
        for (const how of [theirDryRun, theirs]) {
          const refusal = yield* refusalOf(make(image), "create", how)
          assert.include(refusal, "ValidatingAdmissionPolicy 'enbi-functions-images'", image)
          assert.include(refusal, `Role enbi-builder in enbi-system does not list the image ${image}: `)
        }
      }
    }
    const second = { containers: [container(ns), { ...container(ns), name: "second", image: evil }] }
    const refusal = yield* refusalOf(job({ namespace: ns, name: "two" }, second), "create", theirDryRun)
    assert.include(refusal, `does not list the image ${builderImage} or ${evil}: `)
  }).pipe(Effect.provide(services))
)

it.live("Jobs of a former image can be deleted, and nobody changes the image of a Job", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("policies-former")
    const at = { namespace: ns, name: "former" }
    const former = job(at, { containers: [{ ...container(ns), image: "enbi-builder:former" }] })
    yield* apply(former)
    assert.include(yield* refusalOf(job(at), "apply", theirs), "cannot patch resource")
    assert.include(yield* refusalOf(job(at), "apply"), "field is immutable")
    assert.strictEqual(yield* refusalOf(former, "delete", theirs), "")
  }).pipe(Effect.provide(services))
)

const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: evil }] } }
const workload = { selector: { matchLabels: { a: "b" } }, template }

/** What else would start an image, by objects that hold one. */
const others: ReadonlyArray<readonly [apiVersion: string, kind: string, more: object]> = [
  ["apps/v1", "Deployment", { spec: workload }],
  ["apps/v1", "DaemonSet", { spec: workload }],
  ["apps/v1", "ReplicaSet", { spec: workload }],
  ["apps/v1", "StatefulSet", { spec: { ...workload, serviceName: "s" } }],
  ["v1", "ReplicationController", { spec: { selector: { a: "b" }, template } }],
  ["v1", "PodTemplate", { template }],
  ["batch/v1", "CronJob", { spec: { schedule: "* * * * *", jobTemplate: { spec: { template } } } }]
]

it.live("the functions' account may not write what names the image, and has no other way to one", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("policies-others")
    const known = { namespace: "enbi-system", name: "enbi-builder" }
    const rules = [{ apiGroups: ["enbi.hrzn.ee"], resources: ["builderimages"], verbs: ["use"], resourceNames: [evil] }]
    for (const object of [
      { apiVersion: "v1", kind: "ConfigMap", metadata: known, data: { BUILDER_IMAGE: evil } },
      { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: known, rules }
    ]) {
      for (const verb of ["create", "apply", "delete"] as const) {
        const refusal = yield* refusalOf(object, verb, theirDryRun)
        assert.match(refusal, /cannot \w+ resource "(configmaps|roles)"/, `${verb} ${object.kind}`)
      }
    }
    for (const [apiVersion, kind, more] of others) {
      const object = { apiVersion, kind, metadata: { namespace: ns, name: "other" }, ...more }
      assert.include(yield* refusalOf(object, "create", theirDryRun), "cannot create resource", kind)
    }
    const may = (...words: ReadonlyArray<string>) =>
      kubectl("auth", "can-i", ...words, "-n", "enbi-system", "--as", account).pipe(Effect.orElseSucceed(() => "no"))
    // What it does may be asked so, too.
    assert.strictEqual((yield* may("create", "jobs")).trim(), "yes")
    for (const words of [
      "create rolebindings.rbac.authorization.k8s.io",
      "create pods --subresource=exec",
      "create pods --subresource=attach",
      "get pods --subresource=exec",
      "get pods --subresource=proxy",
      "update pods --subresource=ephemeralcontainers",
      "patch pods --subresource=ephemeralcontainers",
      "update pods --subresource=resize",
      "create pods --subresource=binding",
      "update pods",
      "update jobs",
      "patch jobs",
      "get nodes --subresource=proxy",
      "create nodes --subresource=proxy",
      "create serviceaccounts --subresource=token",
      "get secrets",
      "create services.serving.knative.dev",
      "update validatingadmissionpolicies.admissionregistration.k8s.io",
      "delete validatingadmissionpolicybindings.admissionregistration.k8s.io",
      "create mutatingwebhookconfigurations.admissionregistration.k8s.io",
      "create clusterrolebindings.rbac.authorization.k8s.io",
      "escalate clusterroles.rbac.authorization.k8s.io",
      "bind roles.rbac.authorization.k8s.io",
      "impersonate users"
    ]) {
      assert.strictEqual((yield* may(...words.split(" "))).trim(), "no", words)
    }
  }).pipe(Effect.provide(services))
)
