/** What other people's webhooks do to us: containers in our Pods, and policies that refuse them. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  amongAll,
  annotations,
  apply,
  complete,
  conditionWith,
  isRunning,
  kubectl,
  makeNamespace,
  nixBuild,
  pod,
  services,
  told
} from "./cluster.ts"
import { serveWebhooks, withWebhook } from "./webhooks.ts"

it.live("a mesh that asks nobody, and a policy that says no without a code", () =>
  Effect.gen(function* () {
    const ca = yield* serveWebhooks
    yield* Effect.all([underMesh(ca), underPolicy(ca)], { concurrency: 2, discard: true })
  }).pipe(Effect.provide(services))
)

const underMesh = Effect.fnUntraced(function* (ca: string) {
  const ns = yield* makeNamespace("mesh")
  yield* withWebhook({ about: ns, ca, path: "/sidecar" })(() =>
    Effect.gen(function* () {
      const [good, bad] = [
        { namespace: ns, name: "good" },
        { namespace: ns, name: "bad" }
      ]
      yield* apply(nixBuild(good, {}), nixBuild(bad, { packageName: "fail" }))
      assert.strictEqual((yield* complete(good)).status?.status, "Succeeded")
      const { status } = yield* complete(bad)
      assert.strictEqual(status?.failure?.reason, "BuildFailed")
      // Whatever the mesh runs there ends, and the log stays.
      yield* amongAll("the failed build's Pod ends", { kind: pods, namespace: ns }, (all) =>
        Option.fromUndefinedOr(
          all.find(
            (failed) =>
              failed.metadata.annotations?.["enbi.hrzn.ee/nixbuild"] === `${ns}/bad` &&
              failed.status?.phase === "Failed"
          )
        )
      )
      assert.include(
        yield* kubectl("logs", "-n", ns, `job/${status?.buildJobName}`, "-c", "build"),
        "the compiler says no"
      )
    })
  )
})

const underPolicy = Effect.fnUntraced(function* (ca: string) {
  const ns = yield* makeNamespace("policy")
  const at = { namespace: ns, name: "web" }
  const imageTag = "registry.invalid/policy/web:1"
  yield* withWebhook({ about: ns, ca, path: "/limits" })((end) =>
    Effect.gen(function* () {
      yield* apply(
        pod(at, {
          annotations: annotations({ imageTag, packageName: "hello" }),
          container: { image: imageTag, resources: { limits: { memory: "64Mi" } } }
        })
      )
      assert.include((yield* told("Pod", at, "PodRefused")).message, "policy require-limits")
      const [build] = yield* amongAll("its NixBuild", { kind: nixBuilds, namespace: ns }, (all) => Option.some(all))
      assert.isDefined(build)
      const { message } = yield* told("NixBuild", { namespace: ns, name: build?.metadata.name ?? "" }, "PodRefused")
      assert.include(message, "policy require-limits")
      yield* end
      yield* isRunning(at)
    })
  )
})

it.live("a build that fits on no node says so, leaves its slot to others, and goes on when it asks for less", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("no-room")
    const roomy = { namespace: ns, name: "roomy" }
    yield* apply(nixBuild(roomy, { resources: { requests: { memory: "900Gi" } }, timeoutSeconds: 60 }))
    const { message } = yield* conditionWith(roomy, "PodUnschedulable")
    assert.include(message, "Insufficient memory")
    assert.include((yield* told("NixBuild", roomy, "PodUnschedulable")).message, "Insufficient memory")
    const patch = JSON.stringify({ spec: { resources: { requests: { memory: "64Mi" } } } })
    yield* kubectl("patch", "nixbuild", "-n", ns, roomy.name, "--type=merge", "-p", patch)
    assert.strictEqual((yield* complete(roomy)).status?.status, "Succeeded")
  }).pipe(Effect.provide(services))
)
