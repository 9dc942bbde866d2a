/**
 * The corpus of bad inputs (D) as far as it needs a running cluster: redirects,
 * inputs that are paths, Pods that are none of ours, namespaces that refuse,
 * images that go. D25, D28 are in `no-build.test.ts`, D31, D33, D36 in
 * `admission.test.ts`, tags in `tags.test.ts`; the static, the terminating and
 * the ended Pods of D30 are pairs of `test/decide/pod-failure-detector`:
 * `static-pod`, `pod-is-terminating`, `pod-is-over`, `pod-has-failed`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { jobs, namespaces, pods } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { waitingContainers } from "../../lib/waiting.ts"
import {
  annotations,
  apply,
  type At,
  complete,
  conditionWith,
  ctr,
  eventsOf,
  eventually,
  find,
  flakeUrl,
  isRunning,
  kubectl,
  list,
  namespace,
  nixBuild,
  pod,
  refusalOf,
  services,
  told,
  when
} from "./cluster.ts"
import { apiServerRequests } from "./metrics.ts"

const node = "enbi-test-worker"

const gone = (at: At) =>
  eventually(
    `NixBuild ${at.name} goes`,
    Effect.map(find(nixBuilds, at), (found) => when(true, Option.isNone(found)))
  )

describe("bad inputs", () => {
  it.live("D17: redirects lead to no file of the builder Pod: FetchFailed", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* namespace("redirect"), name: "build" }
      yield* apply(nixBuild(at, { flakeUrl: flakeUrl("cgi-bin/redirect") }))
      const status = yield* eventually(
        "a failure",
        Effect.map(find(nixBuilds, at), (found) =>
          Option.flatMap(found, ({ status }) => (status?.failure === undefined ? Option.none() : Option.some(status)))
        )
      )
      assert.strictEqual(status.failure?.reason, "FetchFailed")
      assert.include(status.failure?.message, "Unsupported protocol")
      assert.notInclude(JSON.stringify(status), "root:x:0")
      // It would be fetched three times more.
      yield* kubectl("delete", "nixbuild", "-n", at.namespace, at.name)
    }).pipe(Effect.provide(services))
  )

  it.live("D18: a flake that takes a path of its reader's as input: EvaluationFailed", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* namespace("path-input"), name: "build" }
      yield* apply(nixBuild(at, { flakeUrl: flakeUrl("path-input") }))
      const { status } = yield* complete(at)
      assert.strictEqual(status?.failure?.reason, "EvaluationFailed")
      assert.include(status?.failure?.message, "'/run' is forbidden in pure evaluation mode")
    }).pipe(Effect.provide(services))
  )

  it.live("D27: an annotation longer than the API allows", () =>
    Effect.gen(function* () {
      const long = annotations({
        flakeUrl: `https://h.org/${"a".repeat(256 * 1024)}`,
        imageTag: "registry.invalid/long/app:1",
        packageName: "hello"
      })
      const object = pod({ namespace: "default", name: "long" }, { annotations: long, container: { image: "a:1" } })
      assert.include(yield* refusalOf(object, "create", "--dry-run=server"), "metadata.annotations: Too long")
    }).pipe(Effect.provide(services))
  )

  it.live("D30: a Pod of kube-system is not ours", () =>
    Effect.gen(function* () {
      const ns = yield* namespace("not-ours")
      const theirs = { namespace: "kube-system", name: "enbi-test-not-ours" }
      const asking = (at: At) => {
        const imageTag = `registry.invalid/not-ours/${at.namespace}:1`
        return pod(at, { annotations: annotations({ imageTag, packageName: "hello" }), container: { image: imageTag } })
      }
      yield* apply(asking(theirs))
      yield* Effect.gen(function* () {
        yield* eventually(
          "the Pod of kube-system waits",
          Effect.map(find(pods, theirs), (found) => Option.filter(found, (pod) => waitingContainers(pod).length > 0))
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

  it.live("D35: the tag latest, which Kubernetes always pulls", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* namespace("latest"), name: "latest" }
      const imageTag = "registry.invalid/latest/app:latest"
      const asks = annotations({ imageTag, packageName: "hello" })
      yield* apply(pod(at, { annotations: asks, container: { image: imageTag } }))
      assert.include((yield* told("Pod", at, "ImagePullPolicyAlways")).message, "IfNotPresent")
      assert.lengthOf(yield* list(nixBuilds, at.namespace), 0)
    }).pipe(Effect.provide(services))
  )

  it.live("D86: quota, limit range, a namespace that ends: said once, then quiet", () =>
    Effect.gen(function* () {
      const quota = { namespace: yield* namespace("quota"), name: "build" }
      const limits = { namespace: yield* namespace("limit-range"), name: "build" }
      const ending = { namespace: yield* namespace("ending"), name: "build" }
      const metadata = (at: At, more: object = {}) => ({ namespace: at.namespace, name: "strict", ...more })
      const finalizers = ["enbi.hrzn.ee/test"]
      yield* apply(
        { apiVersion: "v1", kind: "ResourceQuota", metadata: metadata(quota), spec: { hard: { pods: "0" } } },
        {
          apiVersion: "v1",
          kind: "LimitRange",
          metadata: metadata(limits),
          spec: { limits: [{ type: "Container", max: { memory: "64Mi" } }] }
        },
        // This keeps its namespace on the way out.
        { apiVersion: "v1", kind: "ConfigMap", metadata: metadata(ending, { finalizers }) }
      )
      yield* Effect.gen(function* () {
        yield* kubectl("wait", "-n", quota.namespace, "resourcequota/strict", "--for=jsonpath={.status.hard.pods}=0")
        yield* apply(
          nixBuild(quota, { nodes: [node] }),
          nixBuild(limits, { nodes: [node], resources: { limits: { memory: "128Mi" } } }),
          // The two above hold the slots of their node while they wait.
          nixBuild(ending, { nodes: ["enbi-test-worker2"], packageName: "hang" })
        )
        assert.include((yield* conditionWith(quota, "PodRefused")).message, "exceeded quota")
        assert.include((yield* conditionWith(limits, "PodRefused")).message, "maximum memory usage per Container")
        yield* conditionWith(ending, "JobCreated")
        yield* kubectl("delete", "namespace", ending.namespace, "--wait=false")
        yield* gone(ending)

        const look = Effect.gen(function* () {
          const blocked = yield* Effect.forEach([quota, limits], (at) => find(nixBuilds, at))
          return {
            versions: blocked.flatMap(Option.toArray).map((build) => build.metadata.resourceVersion),
            // Of all in this cluster only job-launcher asks whether a Pod would be admitted.
            asked: yield* apiServerRequests(
              ({ dry_run, resource, verb }) => dry_run === "All" && resource === "pods" && verb === "POST"
            )
          }
        })
        const before = yield* look
        // One sweep and a bit more.
        yield* Effect.sleep("35 seconds")
        const after = yield* look
        assert.lengthOf(before.versions, 2)
        assert.deepStrictEqual(after.versions, before.versions, "nothing is written")
        assert.isAtLeast(after.asked - before.asked, 2, "each sweep asks once for each build")
        assert.isAtMost(after.asked - before.asked, 6)
        assert.isTrue(Option.isSome(yield* find(namespaces, { namespace: "", name: ending.namespace })))
        assert.lengthOf(yield* list(jobs, ending.namespace), 0)
      }).pipe(
        Effect.ensuring(
          Effect.forEach(
            [
              ["patch", "configmap", "strict", "-n", ending.namespace, "-p", '{"metadata":{"finalizers":null}}'],
              ["delete", "nixbuild", "-n", quota.namespace, "build"],
              ["delete", "nixbuild", "-n", limits.namespace, "build"]
            ],
            (command) => Effect.ignore(kubectl(...command))
          )
        )
      )
    }).pipe(Effect.provide(services))
  )

  it.live("D90: an image that somebody removes from the node comes back to the Pod that wants it", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* namespace("removed"), name: "build" }
      const build = nixBuild(at, { nodes: [node] })
      yield* apply(build)
      yield* complete(at)
      yield* ctr(node, "images", "rm", "--sync", build.spec.imageTag)
      const user = { namespace: at.namespace, name: "user" }
      yield* apply(pod(user, { container: { image: build.spec.imageTag }, nodeName: node }))
      yield* isRunning(user, "200 seconds")
      yield* told("NixBuild", at, "ImageVanished")
      // kubelet takes the image as soon as containerd has it, before the import Job has ended.
      yield* eventually(
        "the NixBuild says that it is there again",
        Effect.map(find(nixBuilds, at), (build) => {
          const nodes = Option.getOrUndefined(build)?.status?.nodes ?? []
          return when(
            true,
            nodes.some(({ attempt, reason }) => attempt === 2 && reason === "ImagePulled")
          )
        })
      )
    }).pipe(Effect.provide(services))
  )
})
