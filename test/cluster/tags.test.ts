/** Who may have an image tag. The numbers are those of the corpus of bad inputs (D). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { nameForPods } from "../../lib/nixbuild/make.ts"
import {
  annotations,
  apply,
  complete,
  conditionWith,
  ctr,
  eventually,
  flakeUrl,
  isRunning,
  kubectl,
  makeNamespace,
  nixBuild,
  pod,
  refusalOf,
  services,
  told,
  when
} from "./cluster.ts"
import { workers } from "./nodes.ts"

const [first = "", second = ""] = workers

/** The digest that containerd has under a name on a node, or nothing. */
const digestOn = (node: string, imageTag: string) =>
  Effect.map(
    ctr(node, "images", "ls", `name==${imageTag}`),
    (text) => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? "nothing"
  )

describe("tags", () => {
  it.live("of two Pods whose annotations give one tag two meanings, the second is told of the conflict", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("two-meanings")
      const imageTag = "registry.invalid/two-meanings/app:1"
      const asking = (name: string, packageName: string, nodeName: string) =>
        pod(
          { namespace: ns, name },
          { annotations: annotations({ imageTag, packageName }), container: { image: imageTag }, nodeName }
        )
      yield* apply(asking("first", "hello", first))
      yield* told("Pod", { namespace: ns, name: "first" }, "ImageBuilding")
      const wish = { flakeUrl: flakeUrl(), imageTag, packageName: "hello", system: "x86_64-linux" as const }
      const winner = { namespace: ns, name: nameForPods(wish) }
      assert.strictEqual((yield* complete(winner)).status?.status, "Succeeded")
      yield* apply(asking("second", "hello-gz", second))
      const { message, type } = yield* told("Pod", { namespace: ns, name: "second" }, "TagConflict")
      assert.strictEqual(type, "Warning")
      assert.include(message, winner.name)
      assert.strictEqual(yield* digestOn(second, imageTag), "nothing")
    }).pipe(Effect.provide(services))
  )

  it.live("a namespace with prefixes may use no other tags", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("prefixes")
      const prefixes = ["registry.invalid/prefixes/", "registry.invalid/shared/"]
      yield* kubectl("annotate", "namespace", ns, `enbi.hrzn.ee/tag-prefixes=${prefixes.join(" ")}`)
      const create = (imageTag: string) =>
        refusalOf(nixBuild({ namespace: ns, name: "build" }, { imageTag }), "create", { dryRun: true })
      yield* eventually(
        "the policy knows of the annotation",
        Effect.map(create("registry.invalid/other/app:1"), (refusal) =>
          when(true, refusal.includes(`may only use image tags that start with ${prefixes.join(" or ")}`))
        )
      )
      for (const prefix of prefixes) assert.strictEqual(yield* create(`${prefix}app:1`), "")
      // Only what stands before all of the name is a prefix.
      assert.include(yield* create("registry.invalid/prefixes-not/app:1"), "spec.imageTag")
    }).pipe(Effect.provide(services))
  )

  it.live("of two NixBuilds for one tag the second waits, and goes on when the first is deleted", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("one-tag")
      const at = (name: string) => ({ namespace: ns, name })
      const imageTag = "registry.invalid/one-tag/app:1"
      yield* apply(nixBuild(at("first"), { imageTag, nodes: [first] }))
      const { status } = yield* complete(at("first"))
      yield* apply(nixBuild(at("second"), { flakeUrl: flakeUrl("images-2"), imageTag, nodes: [first] }))
      const { message, status: scheduled } = yield* conditionWith(at("second"), "TagConflict")
      assert.strictEqual(scheduled, "False")
      assert.include(message, "NixBuild first")
      assert.strictEqual(yield* digestOn(first, imageTag), status?.imageDigest)
      yield* kubectl("delete", "nixbuild", "-n", ns, "first")
      const next = yield* complete(at("second"))
      assert.strictEqual(next.status?.status, "Succeeded")
      assert.notStrictEqual(next.status?.imageDigest, status?.imageDigest)
      assert.strictEqual(yield* digestOn(first, imageTag), next.status?.imageDigest)
    }).pipe(Effect.provide(services))
  )

  it.live("one tag for two systems is no conflict, and neither takes the other's place", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("two-systems")
      const imageTag = "registry.invalid/two-systems/app:1"
      const at = (name: string) => ({ namespace: ns, name })
      yield* apply(nixBuild(at("amd"), { imageTag, nodes: [first] }))
      const { status } = yield* complete(at("amd"))
      yield* apply(nixBuild(at("arm"), { imageTag, system: "aarch64-linux", nodes: [first] }))
      const { message, type } = yield* conditionWith(at("arm"), "NoMatchingNode")
      assert.strictEqual(type, "Scheduled")
      assert.include(message, `${first} is not arm64`)
      assert.strictEqual(yield* digestOn(first, imageTag), status?.imageDigest)
    }).pipe(Effect.provide(services))
  )

  it.live("a tag is the first namespace's, also after its NixBuild is gone, while a node has the image", () =>
    Effect.gen(function* () {
      const imageTag = "registry.invalid/shared-tag/app:1"
      const at = (name: string) => ({ namespace: name, name: "build" })
      for (const name of ["holds-tag", "wants-tag", "comes-late"]) yield* makeNamespace(name)
      yield* apply(nixBuild(at("holds-tag"), { imageTag, nodes: [first] }))
      const { status } = yield* complete(at("holds-tag"))
      assert.strictEqual(status?.status, "Succeeded")
      const refused = Effect.fnUntraced(function* (name: string) {
        yield* apply(nixBuild(at(name), { imageTag, flakeUrl: flakeUrl("images-2"), nodes: [second] }))
        const { failure } = (yield* complete(at(name))).status ?? {}
        assert.strictEqual(failure?.reason, "TagConflict")
        assert.include(failure?.message, `${imageTag} is ${status?.imageDigest} for x86_64-linux`)
        assert.include(failure?.message, "The source differs")
        assert.include(failure?.message, "he namespace holds-tag")
      })
      yield* refused("wants-tag")
      yield* kubectl("delete", "nixbuild", "-n", "holds-tag", "build")
      yield* refused("comes-late")
      assert.strictEqual(yield* digestOn(first, imageTag), status?.imageDigest)
      assert.strictEqual(yield* digestOn(second, imageTag), "nothing")
    }).pipe(Effect.provide(services))
  )

  it.live("two namespaces run one image under one tag, and neither brings another under it", () =>
    Effect.gen(function* () {
      const imageTag = "registry.invalid/environments/app:1"
      const inside = (name: string) => ({ namespace: name, name: "app" })
      for (const name of ["env-staging", "env-production"]) yield* makeNamespace(name)
      const asking = (of: string, nodeName: string) =>
        pod(inside(of), {
          annotations: annotations({ imageTag, packageName: "hello" }),
          container: { image: imageTag },
          nodeName
        })
      yield* apply(asking("env-staging", first), asking("env-production", second))
      for (const name of ["env-staging", "env-production"]) yield* isRunning(inside(name))
      const digest = yield* digestOn(first, imageTag)
      assert.strictEqual(yield* digestOn(second, imageTag), digest)
      const other = { namespace: "env-staging", name: "other" }
      yield* kubectl("delete", "nixbuilds", "-n", other.namespace, "--all")
      yield* apply(nixBuild(other, { imageTag, flakeUrl: flakeUrl("images-2"), nodes: [first] }))
      const { failure } = (yield* complete(other)).status ?? {}
      assert.strictEqual(failure?.reason, "TagConflict")
      assert.include(failure?.message, "he namespace env-production uses the tag")
      assert.strictEqual(yield* digestOn(first, imageTag), digest)
    }).pipe(Effect.provide(services))
  )
})
