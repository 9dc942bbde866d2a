/** NixImages on a real cluster: built, published, served, pulled by containerd, and by Pods that only name packages. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { nixImages } from "../../lib/api/niximage.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  apply,
  type At,
  becomes,
  builderImage,
  ctr,
  eventually,
  isRunning,
  kubectl,
  list,
  makeNamespace,
  pod,
  services,
  told,
  toldSuch
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

const Answers = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      status: Schema.Int,
      statusText: Schema.String,
      digest: Schema.NullOr(Schema.String),
      body: Schema.String
    })
  )
)

const service = "http://image-registry.enbi-system.svc"

/** What the registry answers to a Pod of the namespace: `[method, path, headers?]` each, a path of port 5080 or a URL. */
const ask = Effect.fnUntraced(function* (namespace: string, requests: ReadonlyArray<ReadonlyArray<unknown>>) {
  const script = `
    const answer = async ([method, path, headers = {}]) => {
      const url = path.startsWith("/") ? "${service}:5080" + path : path
      const response = await fetch(url, { method, headers: { "user-agent": "test", ...headers }, redirect: "manual" })
      const body = (await response.text()).slice(0, 2000)
      const { status, statusText } = response
      return { status, statusText, digest: response.headers.get("docker-content-digest"), body }
    }
    Promise.all(${JSON.stringify(requests)}.map(answer)).then((all) => console.log(JSON.stringify(all)))`
  const text = yield* kubectl("exec", "-n", namespace, "client", "--", "node", "-e", script)
  return yield* Schema.decodeUnknownEffect(Answers)(text)
})

const startClient = Effect.fnUntraced(function* (namespace: string) {
  const at = { namespace, name: "client" }
  yield* apply(pod(at, { container: { image: builderImage, args: ["-e", "setInterval(() => {}, 1e9)"] } }))
  yield* isRunning(at)
})

describe.concurrent("niximages", () => {
  it.live("how far it is, why it failed, and that it is gone, is what the registry says", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("served")
      yield* startClient(namespace)
      const at = (name: string) => ({ namespace, name })
      yield* apply(nixImage(at("waits"), { tag: "v1", contents: ["jq"], systems: ["s390x-linux"] }))
      yield* apply(nixImage(at("fails"), { tag: "v1", contents: ["lib"] }))
      yield* apply(nixImage(at("works"), { tag: "v1", contents: ["jq"] }))
      yield* becomes(
        "no node can build it",
        nixImages,
        at("waits"),
        Option.filter(({ status }) => status?.conditions?.some(({ reason }) => reason === "NoMatchingNode") === true)
      )
      yield* ends(at("fails"))
      const { status } = yield* ends(at("works"))
      const path = (name: string) => `/v2/served/${name}/manifests/v1`
      const [waits, fails, works, unknown] = yield* ask(namespace, [
        ["GET", path("waits")],
        ["GET", path("fails")],
        ["HEAD", path("works")],
        ["GET", path("nothing")]
      ])
      assert.strictEqual(waits?.status, 503)
      assert.match(waits?.statusText ?? "", /^Building: .*No node can build/)
      assert.include(waits?.body, "No node can build")
      assert.strictEqual(fails?.status, 409)
      assert.match(fails?.statusText ?? "", /^Failed: AttributeMissing: .*lib \(a set\)/)
      assert.strictEqual(works?.status, 200)
      assert.strictEqual(works?.digest, status?.systems?.[0]?.digest)
      assert.strictEqual(unknown?.status, 404)
      // In the words that people read in kubectl describe pod.
      const pulling = at("pulling")
      yield* apply(pod(pulling, { container: { image: `${registry}/served/waits:v1`, command } }))
      const said = yield* toldSuch("Pod", pulling, "the registry's words", ({ message = "" }) =>
        message.includes("503")
      )
      assert.match(said.message ?? "", /503 Building: .*No node can build/)

      yield* kubectl("delete", "niximage", "-n", namespace, "works")
      const gone = yield* eventually(
        "the tag is not served any more",
        Effect.map(ask(namespace, [["GET", path("works")]]), ([answer]) =>
          answer?.status === 404 ? Option.some(answer) : Option.none()
        )
      )
      assert.include(gone.body, "NAME_UNKNOWN")
    }).pipe(Effect.provide(services))
  )

  it.live("other contents under a tag are another digest", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("changed")
      const at = { namespace, name: "tools" }
      yield* apply(nixImage(at, { tag: "v1", contents: ["jq"] }))
      const before = (yield* ends(at)).status?.systems?.[0]
      yield* apply(nixImage(at, { tag: "v1", contents: ["jq", "git"] }))
      const after = yield* becomes(
        "the new contents are built",
        nixImages,
        at,
        Option.filter(({ status }) => {
          const [system] = status?.systems ?? []
          return system?.build !== before?.build && system?.status === "Built"
        })
      )
      assert.notStrictEqual(after.status?.systems?.[0]?.digest, before?.digest)
    }).pipe(Effect.provide(services))
  )

  it.live("nobody pushes but publish Jobs", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("pusher")
      yield* startClient(namespace)
      const audience = "enbi-image-registry"
      const token = (yield* kubectl("create", "token", "default", "-n", namespace, `--audience=${audience}`)).trim()
      const uploads = "/v2/builds/x/blobs/uploads/"
      const answers = yield* ask(namespace, [
        ["POST", `${service}:5081${uploads}`],
        ["POST", `${service}:5081${uploads}`, { authorization: `Bearer ${token}` }],
        ["PUT", `${service}:5081/v2/builds/x/manifests/v1`, { authorization: `Bearer ${token}` }],
        ["POST", uploads],
        ["DELETE", "/v2/served/works/manifests/v1"]
      ])
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [401, 403, 403, 405, 405]
      )
      for (const { body } of answers) assert.match(body, /^\{"errors":\[\{"code":"(?:UNAUTHORIZED|DENIED|UNSUPPORTED)"/)
    }).pipe(Effect.provide(services))
  )

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
