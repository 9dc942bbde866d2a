/** From a Pod that waits, or a NixBuild by hand, to a running container. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  annotations,
  apply,
  complete,
  ctr,
  eventually,
  isRunning,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  noJobs,
  patienceFlag,
  patiently,
  pod,
  services,
  told,
  toldSuch
} from "./cluster.ts"
import { workers } from "./nodes.ts"

const NodeImages = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({ names: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))), sizeBytes: Schema.Int })
  )
)

/** What kubelet was told by CRI of an image's size. It reports five of an image's names, and every build of it gives one. */
const sizeByCri = (node: string, digest: string) =>
  eventually(
    `${node} reports ${digest}`,
    Effect.gen(function* () {
      const same = (yield* ctr(node, "images", "ls", "-q", `target.digest==${digest}`)).split("\n")
      const text = yield* kubectl("get", "node", node, "-o", "jsonpath={.status.images}")
      const images = yield* Schema.decodeUnknownEffect(NodeImages)(text)
      return Option.fromNullishOr(
        images.find(({ names }) => names?.some((name) => same.includes(name)) === true)?.sizeBytes
      )
    })
  )

// They mostly wait, each in a namespace of its own.
describe.concurrent("thread", () => {
  it.live("a NixBuild by hand ends as enbi's users know it, and says what containerd and CRI say", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("by-hand"), name: "hello" }
      yield* apply(nixBuild(at, { nodes: ["enbi-test-worker"] }))
      const { spec, status } = yield* complete(at)
      const described = yield* kubectl("describe", "nixbuild", "-n", at.namespace, at.name)
      for (const line of [
        /Build Job Name: +hello-build-[0-9a-f]{10}\n/,
        /Build Node: +enbi-test-worker\n/,
        /Message: +Build completed successfully and result was fetched from endpoint\n/,
        /Reason: +ResultSuccess\n/,
        /Type: +Success\n/,
        /Message: +Image loaded\n/,
        /Reason: +BuildFinished\n/,
        /Type: +Complete\n/,
        /Image Digest: +sha256:[0-9a-f]{64}\n/,
        /Image Size: +[0-9]+\n/,
        /Status: +Succeeded\n/
      ]) {
        assert.match(described, line)
      }
      const [head, row] = (yield* kubectl("get", "nb", "-n", at.namespace)).split("\n")
      assert.match(head ?? "", /^NAME +IMAGE TAG +SYSTEM +STATUS +BUILD NODE +AGE *$/)
      assert.match(
        row ?? "",
        /^hello +registry.invalid\/by-hand\/hello:1 +x86_64-linux +Succeeded +enbi-test-worker +\d+/
      )

      const image = yield* ctr("enbi-test-worker", "images", "ls", `name==${spec.imageTag}`)
      assert.include(image, status?.imageDigest ?? "none")
      assert.include(image, "io.cri-containerd.image=managed")
      assert.strictEqual(yield* sizeByCri("enbi-test-worker", status?.imageDigest ?? "none"), status?.imageSize)
      const user = { namespace: at.namespace, name: "user" }
      yield* apply(pod(user, { container: { image: spec.imageTag }, nodeName: "enbi-test-worker" }))
      yield* isRunning(user)
      const imageId = yield* kubectl(
        "get",
        "pod",
        "-n",
        at.namespace,
        "user",
        "-o",
        "jsonpath={.status.containerStatuses[0].imageID}"
      )
      assert.include(imageId, status?.imageConfigDigest ?? "none")
      yield* noJobs(at)
      assert.deepStrictEqual(
        status?.nodes?.map(({ digest, name, reason }) => ({ digest, name, reason })),
        [{ digest: status?.imageDigest, name: "enbi-test-worker", reason: "ImagePulled" }]
      )
    }).pipe(Effect.provide(services))
  )

  it.live("two replicas on two nodes: one NixBuild, the image on each node, both Pods run", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("two-nodes")
      const imageTag = "registry.invalid/two-nodes/app:1"
      yield* apply({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "app", namespace: ns },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: "app" } },
          template: {
            metadata: { labels: { app: "app" }, annotations: annotations({ imageTag, packageName: "hello-stream" }) },
            spec: {
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: "kubernetes.io/hostname",
                  whenUnsatisfiable: "DoNotSchedule",
                  labelSelector: { matchLabels: { app: "app" } }
                }
              ],
              containers: [{ name: "app", image: imageTag }],
              // It is the first process of its container, which hears no SIGTERM.
              terminationGracePeriodSeconds: 1
            }
          }
        }
      })
      yield* kubectl("rollout", "status", "-n", ns, "deployment/app", patienceFlag)
      const [build, ...others] = yield* list(nixBuilds, ns)
      assert.lengthOf(others, 0)
      assert.match(build?.metadata.name ?? "", /^podwatcher-[0-9a-f]{10}$/)
      assert.sameMembers([...(build?.spec.nodes ?? [])], workers)
      for (const node of workers) assert.include(yield* ctr(node, "images", "ls", "-q"), imageTag)
      const both = yield* list(pods, ns, "-l", "app=app")
      assert.sameMembers(
        both.map((one) => one.spec.nodeName ?? ""),
        workers
      )
      for (const { metadata } of both) {
        assert.include(
          (yield* told("Pod", { namespace: ns, name: metadata.name }, "ImageBuilding")).message,
          build?.metadata.name ?? "none"
        )
      }
      // A container runs a moment before what is in it listens.
      const answer = yield* patiently(
        kubectl("get", "--raw", `/api/v1/namespaces/${ns}/pods/${both[0]?.metadata.name}:8080/proxy/`)
      )
      assert.strictEqual(answer.trim(), "hello from nix, revision 1")
    }).pipe(Effect.provide(services))
  )

  it.live("a Pod that backs off for minutes is woken at once when its image is there", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("backed-off")
      const at = { namespace: ns, name: "waits" }
      const imageTag = "registry.invalid/backed-off/app:1"
      const node = "enbi-test-worker2"
      yield* apply(pod(at, { container: { image: imageTag }, nodeName: node }))
      // Another tag for the same image, so that the build that counts has little left to do.
      yield* apply(nixBuild({ namespace: ns, name: "warm-up" }, { nodes: [node] }))
      // kubelet pulls at once and after 10, 20, 40, 80 s; the fifth failure is followed by 160 s of waiting.
      const fifth = yield* toldSuch(
        "Pod",
        at,
        "the fifth try to pull",
        ({ count = 0, reason }) => reason === "Pulling" && count >= 5
      )
      yield* apply(nixBuild({ namespace: ns, name: "app" }, { imageTag, nodes: [node] }))
      const running = yield* isRunning(at)
      const startedTime = Date.parse(running.status?.containerStatuses?.[0]?.state?.running?.startedAt ?? "")
      const backOffEndTime = Date.parse(fifth.lastTimestamp ?? "") + 160_000
      const build = yield* complete({ namespace: ns, name: "app" })
      const [{ importedTime = "", wokenTime = "" } = {}] = build.status?.nodes ?? []
      const isWoken = running.metadata.annotations?.["enbi.hrzn.ee/woken"] !== undefined
      // kubelet looks by itself once a minute or so, and may have been first.
      assert.isTrue(isWoken || startedTime <= Date.parse(importedTime), "it was woken, or needed not to be")
      // A build that took longer than the back-off leaves nothing to be shortened.
      if (Date.parse(wokenTime) < backOffEndTime - 30_000) assert.isBelow(startedTime, backOffEndTime - 10_000)
    }).pipe(Effect.provide(services))
  )

  it.live("a second revision builds only what changed, and an image that is there moves no blob", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("revisions")
      const build = Effect.fnUntraced(function* (name: string, flake: string) {
        const url = `http://flakes.enbi-flakes.svc.cluster.local/${flake}.tar.gz`
        yield* apply(
          nixBuild({ namespace: ns, name }, { flakeUrl: url, packageName: "two-layer", nodes: ["enbi-test-worker"] })
        )
        const { status } = yield* complete({ namespace: ns, name })
        assert.strictEqual(status?.status, "Succeeded")
        const { message } = yield* told("NixBuild", { namespace: ns, name }, "ImagePulled")
        const [, built, moved] = /derivations built: (\d+),.* blobs moved: (\d+),/.exec(message) ?? []
        return { built: Number(built), moved: Number(moved) }
      })
      assert.strictEqual((yield* build("first", "images")).built, 3)
      const second = yield* build("second", "images-2")
      assert.strictEqual(second.built, 2, "the app's layer and the archive, not the base layer")
      assert.deepStrictEqual(yield* build("again", "images-2"), { built: 0, moved: 0 })
    }).pipe(Effect.provide(services))
  )
})
