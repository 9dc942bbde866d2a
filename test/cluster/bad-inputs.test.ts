/**
 * Bad inputs that need a running cluster: redirects, inputs that are paths,
 * Pods that are none of ours, images that go. Others are in
 * `no-build.test.ts`, `blocked.test.ts`, `admission.test.ts` and
 * `tags.test.ts`; the static, the terminating and the ended Pods are pairs of
 * `test/decide/pod-failure-detector`: `static-pod`, `pod-is-terminating`,
 * `pod-is-over`, `pod-has-failed`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import {
  annotations,
  apply,
  becomes,
  type At,
  complete,
  ctr,
  eventsOf,
  flakeUrl,
  isRunning,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  pod,
  refusalOf,
  services,
  told
} from "./cluster.ts"

const node = "enbi-test-worker"

describe("bad inputs", () => {
  it.live("redirects lead to no file of the builder Pod: FetchFailed", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("redirect"), name: "build" }
      yield* apply(nixBuild(at, { flakeUrl: flakeUrl("cgi-bin/redirect") }))
      const status = yield* becomes(
        "a failure",
        nixBuilds,
        at,
        Option.flatMap((build) => (build.status?.failure === undefined ? Option.none() : Option.some(build.status)))
      )
      assert.strictEqual(status.failure?.reason, "FetchFailed")
      assert.include(status.failure?.message, "Unsupported protocol")
      assert.notInclude(JSON.stringify(status), "root:x:0")
      // It would be fetched three times more.
      yield* kubectl("delete", "nixbuild", "-n", at.namespace, at.name)
    }).pipe(Effect.provide(services))
  )

  it.live("a flake that takes a path of its reader's as input: EvaluationFailed", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("path-input"), name: "build" }
      yield* apply(nixBuild(at, { flakeUrl: flakeUrl("path-input") }))
      const { status } = yield* complete(at)
      assert.strictEqual(status?.failure?.reason, "EvaluationFailed")
      // It would be another on every node.
      assert.include(status?.failure?.message, "does not lock the input host")
    }).pipe(Effect.provide(services))
  )

  it.live("an annotation longer than the API allows", () =>
    Effect.gen(function* () {
      const long = annotations({
        flakeUrl: `https://h.org/${"a".repeat(256 * 1024)}`,
        imageTag: "registry.invalid/long/app:1",
        packageName: "hello"
      })
      const object = pod({ namespace: "default", name: "long" }, { annotations: long, container: { image: "a:1" } })
      assert.include(yield* refusalOf(object, "create", { dryRun: true }), "metadata.annotations: Too long")
    }).pipe(Effect.provide(services))
  )

  it.live("a Pod of kube-system is not ours", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("not-ours")
      const theirs = { namespace: "kube-system", name: "enbi-test-not-ours" }
      const asking = (at: At) => {
        const imageTag = `registry.invalid/not-ours/${at.namespace}:1`
        return pod(at, { annotations: annotations({ imageTag, packageName: "hello" }), container: { image: imageTag } })
      }
      yield* apply(asking(theirs))
      yield* Effect.gen(function* () {
        yield* becomes(
          "the Pod of kube-system waits",
          pods,
          theirs,
          Option.filter((found) => waitingContainers(found).length > 0)
        )
        // When this one has its NixBuild, the other was looked at long before.
        yield* apply(asking({ namespace: ns, name: "ours" }))
        yield* told("Pod", { namespace: ns, name: "ours" }, "ImageBuilding")
        assert.lengthOf(yield* list(nixBuilds, "kube-system"), 0)
        const reasons = (yield* eventsOf("Pod", theirs)).map(({ reason }) => reason)
        assert.notInclude(reasons, "ImageBuilding")
      }).pipe(Effect.ensuring(Effect.ignore(kubectl("delete", "pod", "-n", theirs.namespace, theirs.name))))
    }).pipe(Effect.provide(services))
  )

  it.live("the tag latest, which Kubernetes always pulls", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("latest"), name: "latest" }
      const imageTag = "registry.invalid/latest/app:latest"
      const asks = annotations({ imageTag, packageName: "hello" })
      yield* apply(pod(at, { annotations: asks, container: { image: imageTag } }))
      assert.include((yield* told("Pod", at, "ImagePullPolicyAlways")).message, "IfNotPresent")
      assert.lengthOf(yield* list(nixBuilds, at.namespace), 0)
    }).pipe(Effect.provide(services))
  )

  it.live("an image that somebody removes from the node comes back to the Pod that wants it", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("removed"), name: "build" }
      const build = nixBuild(at, { nodes: [node] })
      yield* apply(build)
      yield* complete(at)
      yield* ctr(node, "images", "rm", "--sync", build.spec.imageTag)
      const user = { namespace: at.namespace, name: "user" }
      yield* apply(pod(user, { container: { image: build.spec.imageTag }, nodeName: node }))
      yield* isRunning(user)
      yield* told("NixBuild", at, "ImageVanished")
      // kubelet takes the image as soon as containerd has it, before the import Job has ended.
      yield* becomes(
        "the NixBuild says that it is there again",
        nixBuilds,
        at,
        Option.filter(({ status }) =>
          (status?.nodes ?? []).some(({ attempt, reason }) => attempt === 2 && reason === "ImagePulled")
        )
      )
    }).pipe(Effect.provide(services))
  )
})
