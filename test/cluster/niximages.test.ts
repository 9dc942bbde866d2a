/** NixImages on a real cluster: built, published, served, pulled by containerd, and by Pods that only name packages. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { nixImages } from "../../lib/api/niximage.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  type At,
  apply,
  becomes,
  ctr,
  isRunning,
  kubectl,
  list,
  makeNamespace,
  pod,
  services,
  told
} from "./cluster.ts"
import { workers } from "./nodes.ts"

const registry = "127.0.0.1:5080"

/** As the seed has it. */
const nixImage = (at: At, data: object) => ({ apiVersion: "k8s.nixos.org/v1", kind: "NixImage", metadata: at, data })

const ends = (at: At) =>
  becomes(
    `${at.name} is Built or Failed`,
    nixImages,
    at,
    Option.filter(({ status }) => status?.status === "Built" || status?.status === "Failed")
  )

const command = ["bash", "-c", "while true; do sleep 1; done"]

describe.concurrent("niximages", () => {
  it.live("the seed's example is built and served, and Pods on both workers pull it", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("seed")
      const at = { namespace, name: "curl-and-jq" }
      yield* apply(nixImage(at, { tag: "v1", contents: ["curl", "jq", "bash", "coreutils"] }))
      const { status } = yield* ends(at)
      assert.strictEqual(status?.status, "Built", JSON.stringify(status))
      const [head, row] = (yield* kubectl("get", "niximages", "-n", namespace)).split("\n")
      assert.match(head ?? "", /^NAME +VERSION +STATUS *$/)
      assert.match(row ?? "", /^curl-and-jq +v1 +Built *$/)
      for (const node of workers) {
        const user = { namespace, name: `user-${node}` }
        yield* apply(pod(user, { container: { image: `${registry}/seed/curl-and-jq:v1`, command }, nodeName: node }))
        yield* isRunning(user)
        assert.match(yield* kubectl("exec", "-n", namespace, user.name, "--", "curl"), /curl of x86_64-linux/)
        const image = yield* ctr(node, "images", "ls", `name==${registry}/seed/curl-and-jq:v1`)
        assert.include(image, status?.systems?.[0]?.digest ?? "none")
      }
    }).pipe(Effect.provide(services))
  )

  it.live("a Pod that only names packages gets its image, and the same in another order shares its build", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("pulled")
      const [first, second] = [
        { namespace, name: "first" },
        { namespace, name: "second" }
      ]
      yield* apply(pod(first, { container: { image: `${registry}/shell/git/jq:v7`, command } }))
      yield* apply(pod(second, { container: { image: `${registry}/shell/jq/git:v7`, command } }))
      yield* isRunning(first)
      yield* isRunning(second)
      assert.match(yield* kubectl("exec", "-n", namespace, "first", "--", "git"), /git of x86_64-linux/)
      assert.lengthOf(yield* list(nixImages, namespace), 2)
      assert.lengthOf(yield* list(nixBuilds, namespace), 1)
    }).pipe(Effect.provide(services))
  )

  it.live("what can't be built is told on the NixImage, by kubelet, and on the Pod", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("unbuilt")
      const at = { namespace, name: "typo" }
      yield* apply(pod(at, { container: { image: `${registry}/shell/gti:v1`, command } }))
      const { message } = yield* told("Pod", at, "AttributeMissing")
      assert.match(message ?? "", /no gti \(nearest: git/)
      const [image] = yield* list(nixImages, namespace)
      assert.strictEqual(image?.status?.status, "Failed")
      assert.strictEqual(image?.status?.failure?.reason, "AttributeMissing")
    }).pipe(Effect.provide(services))
  )
})
