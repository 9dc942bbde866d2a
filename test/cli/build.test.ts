/** `enbi build` and `enbi logs`, with the functions at work in memory. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { namespace, node } from "../memory/given.ts"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { play, type Stage } from "../memory/story.ts"
import { leadingTo } from "./cluster.ts"
import { build, clusterOf, shortened, untilBuildJob } from "./building.ts"
import { undisturbed } from "./recording.ts"
import { run } from "./run.ts"

const given = [namespace("apps"), node("one")]
const command = (packageName: string, ...more: ReadonlyArray<string>) => [
  "build",
  `github:a/b#${packageName}`,
  "--tag",
  "reg.io/a:1",
  ...more
]

const inStory = (happens: (stage: Stage) => Effect.Effect<void, unknown, NodeServices.NodeServices>) =>
  play({ given, happens: (stage) => happens(stage).pipe(Effect.provide(NodeServices.layer), Effect.orDie) })

layer(NodeServices.layer)("enbi build", (it) => {
  it.effect("tells each step to the end, and ends with 0 when the image is there; a second time it only says so", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const asked: Array<string> = []
        const { code, out } = yield* run(command("good"), { cluster: clusterOf(stage, asked), during: build(stage) })
        assert.deepStrictEqual(shortened(out), [
          "NixBuild apps/good-# is created",
          "NodeFound: Node one builds it for x86_64-linux.",
          "VolumePending: The node's cache volume is being prepared.",
          "JobCreated: Job good-#-build-# builds: kubectl logs -n apps job/good-#-build-#",
          "fetching github:a/b",
          "evaluating packages.x86_64-linux.good of github:a/b/0123",
          "building /nix/store/x-good.drv",
          "fetching 1 of 1: /nix/store/z-base",
          "1 of 2: building '/nix/store/y-layer.drv'",
          "2 of 2: building '/nix/store/x-good.drv'",
          "reading the image from /nix/store/x-good",
          "image sha256:# is ready to be imported",
          "importing into containerd of one",
          "reg.io/a:1 is on node one: sha256:#"
        ])
        assert.strictEqual(code, 0)
        assert.match(
          asked.join("\n"),
          /^apps\/good-[0-9a-f]{10}-build-[0-9a-f]{10}-[0-9a-f]{5}\?container=build&follow=true&timestamps=false$/
        )
        const { length } = stage.api.writes
        const again = yield* run(command("good"), { cluster: clusterOf(stage) })
        assert.strictEqual(again.code, 0)
        assert.deepStrictEqual(shortened(again.out), [
          "NixBuild apps/good-# is done; for a new one: kubectl delete nixbuild -n apps good-#",
          "reg.io/a:1 is on node one: sha256:#"
        ])
        assert.lengthOf(stage.api.writes, length)
      })
    )
  )

  it.effect("prints all that is built with -L", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { out } = yield* run(command("good", "-L"), { cluster: clusterOf(stage), during: build(stage) })
        assert.include(out, "\ngcc -c hello.c\n")
      })
    )
  )

  it.effect("ends with 1 and says why when it failed; a second time it is tried again", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { code, out } = yield* run(command("bad"), { cluster: clusterOf(stage), during: build(stage) })
        assert.strictEqual(code, 1)
        assert.match(
          out,
          /\n {2}error: no\nIt is not on node one: BuildFailed\.\nFailed: BuildFailed: It does not build for/
        )
        const asked: Array<string> = []
        const again = yield* run(command("bad"), {
          cluster: clusterOf(stage, asked),
          during: Effect.fnUntraced(function* (printed) {
            yield* printed("starting another attempt")
            yield* untilBuildJob(stage)
            yield* printed("JobCreated")
            yield* stage.world.tick
            yield* printed("is ready to be imported")
            yield* undisturbed(stage)
          })
        })
        assert.strictEqual(again.code, 1)
        assert.lengthOf(asked, 1, "the log of the attempt before is not shown")
        assert.strictEqual(shortened(again.out).filter((line) => line.startsWith("JobCreated")).length, 1)
        assert.match(again.out, /\nFailed: BuildFailed: /)
      })
    )
  )

  it.effect("ends with 1 when a person has to change something first, and says what", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { code, out } = yield* run(command("good", "--system", "aarch64-linux"), {
          cluster: clusterOf(stage),
          during: (printed) => Effect.andThen(printed("is created"), undisturbed(stage))
        })
        assert.strictEqual(code, 1)
        assert.match(out, /\nNoMatchingNode: .*aarch64-linux: one .*\nIt waits until that is fixed\./)
      })
    )
  )

  it.effect("ends with 2 when somebody deletes it", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { objects } = stage.api
        const { code, failure } = yield* run(command("good"), {
          cluster: clusterOf(stage),
          during: Effect.fnUntraced(function* (printed) {
            yield* printed("is created")
            for (const { kind, metadata } of [...objects.objects.values()].filter(
              (object) => object.kind === "NixBuild"
            )) {
              yield* Effect.orDie(objects.remove({ kind, ...metadata }))
            }
          })
        })
        assert.strictEqual(code, 2)
        assert.include(failure, "The NixBuild was deleted")
      })
    )
  )

  it.effect("asks for the system when the nodes have several, and for help when they have none", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const arm = (name: string, architecture = "arm64") => {
          const { metadata, ...rest } = node(name)
          return { ...rest, metadata: { ...metadata, labels: { "kubernetes.io/arch": architecture } } }
        }
        const { objects } = stage.api
        for (const more of [arm("two"), arm("three")]) yield* objects.create(more)
        const several = yield* run(command("good"), { cluster: clusterOf(stage) })
        assert.strictEqual(several.code, 2)
        assert.include(several.failure, "choose one with --system. x86_64-linux (1 node), aarch64-linux (2 nodes).")
        for (const name of ["one", "two", "three"]) yield* objects.remove({ kind: "Node", name })
        yield* objects.create(arm("four", "mips"))
        const none = yield* run(command("good"), { cluster: clusterOf(stage) })
        assert.include(none.failure, "No node has a system that Nix knows: choose one with --system")
        yield* objects.remove({ kind: "Node", name: "four" })
        assert.deepStrictEqual(stage.api.writes, [])
      })
    )
  )

  it.effect("ends with 2 when the API server does not take it, and when it is not asked well", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const cluster = clusterOf(stage)
        stage.api.fate.faultOf = ({ write }) => (write === undefined ? undefined : "broken")
        const refused = yield* run(command("good"), { cluster })
        stage.api.fate.faultOf = () => undefined
        assert.strictEqual(refused.code, 2)
        assert.include(refused.failure, "The API server rejected it: InternalError")
        const bare = yield* run(["build", "github:a/b", "--tag", "reg.io/a:1"], { cluster })
        assert.strictEqual(bare.code, 2)
        assert.match(bare.failure, /a flake and, after #, its package: github:owner\/repository#hello-image/)
      })
    )
  )
})

const found = (status: object) => ({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  metadata: { name: "a", namespace: "apps", uid: "uid-a", resourceVersion: "1" },
  spec: { flakeUrl: "github:a/b", imageTag: "reg.io/a:1", packageName: "a", system: "x86_64-linux", sandbox: true },
  status
})

const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "a-build-1", namespace: "apps" } }
const pod = (name: string, within: string, labels: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: within, labels },
  spec: { containers: [{ name: "main" }, { name: "beside" }] }
})
const existing = [
  job,
  pod("a-build-1-x", "apps", { "batch.kubernetes.io/job-name": "a-build-1" }),
  pod("b-build-1-x", "apps", { "batch.kubernetes.io/job-name": "b-build-1" })
]

interface Log {
  readonly args: ReadonlyArray<string>
  readonly status: object
  readonly there: ReadonlyArray<KubernetesObject>
  readonly out?: string
  readonly failure?: string
  readonly asked?: string
}

const logs: Record<string, Log> = {
  "of the build Job": {
    args: ["-f"],
    status: { buildJobName: "a-build-1" },
    there: existing,
    asked: "apps/a-build-1-x?container=main&follow=true&timestamps=false",
    out: "the log\nof it"
  },
  "of the import Jobs": {
    args: ["--import"],
    status: {},
    there: [
      pod("import-1", "enbi-system", { "enbi.hrzn.ee/nixbuild-uid": "uid-a" }),
      pod("import-2", "enbi-system", { "enbi.hrzn.ee/nixbuild-uid": "uid-a" }),
      pod("import-3", "enbi-system", { "enbi.hrzn.ee/nixbuild-uid": "uid-b" })
    ],
    asked: ["import-1", "import-2"]
      .map((name) => `enbi-system/${name}?container=main&follow=false&timestamps=false`)
      .join("\n"),
    out: ["import-1", "import-2"].map((name) => `[pod/${name}/main] the log\n[pod/${name}/main] of it`).join("\n")
  },
  "that is kept in the NixBuild": {
    args: [],
    status: { buildJobName: "a-build-1", failure: { reason: "BuildFailed", message: "It failed.", log: "the end" } },
    there: [],
    out: "The Job was removed; the NixBuild keeps the end of its log:\nthe end"
  },
  "of a build that succeeded: it is gone": {
    args: [],
    status: { buildJobName: "a-build-1" },
    there: [],
    failure: "was removed, and its log with it"
  },
  "of a build that has not begun: how to find out why": {
    args: [],
    status: {},
    there: [],
    failure: "kubectl describe nixbuild -n apps a says what it waits for"
  },
  "of a build whose Pod is not there yet: how to find out why": {
    args: [],
    status: { buildJobName: "a-build-1" },
    there: [job],
    failure: "kubectl describe job -n apps a-build-1 says why"
  },
  "of no such build": {
    args: ["-n", "elsewhere"],
    status: {},
    there: [],
    failure: "There is no NixBuild a in the namespace elsewhere."
  }
}

layer(NodeServices.layer)("enbi logs", (it) => {
  for (const [what, { args, asked = "", failure = "", out = "", status, there }] of Object.entries(logs)) {
    it.effect(`prints the log ${what}`, () =>
      Effect.gen(function* () {
        const calls: Array<string> = []
        const server = makeApiServer()
        yield* server.objects.restore(found(status))
        for (const object of there) yield* server.objects.create(object)
        const log = (words: string) => (calls.push(words), "the log\nof it\n")
        const result = yield* run(["logs", "a", ...args], { cluster: leadingTo(server, { log }) })
        assert.strictEqual(result.out, out)
        assert.include(result.failure, failure)
        assert.strictEqual(result.code, failure === "" ? 0 : 2)
        assert.strictEqual(calls.join("\n"), asked)
      })
    )
  }

  it.effect("waits for a log that is silent for long", () =>
    Effect.gen(function* () {
      const server = makeApiServer()
      yield* server.objects.restore(found({ buildJobName: "a-build-1" }))
      for (const object of existing) yield* server.objects.create(object)
      const [asked, spoken] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const log = () =>
        Effect.gen(function* () {
          yield* Deferred.succeed(asked, undefined)
          yield* Deferred.await(spoken)
          return HttpServerResponse.text("at last\n")
        })
      const { code, out } = yield* run(["logs", "a", "-f"], {
        cluster: leadingTo(server, { log }),
        during: Effect.fnUntraced(function* () {
          yield* Deferred.await(asked)
          yield* TestClock.adjust("1 hour")
          yield* Deferred.succeed(spoken, undefined)
        })
      })
      assert.strictEqual(out, "at last")
      assert.strictEqual(code, 0)
    })
  )
})
