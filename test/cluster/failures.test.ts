/** Builds that fail: each its own reason, sentence and log tail, where people look. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { isFailed, jobs } from "../../lib/kubernetes/kinds.ts"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { nameForPods } from "../../lib/nixbuild/make.ts"
import {
  amongAll,
  annotations,
  apply,
  becomes,
  complete,
  flakeUrl,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  pod,
  services,
  told,
  when
} from "./cluster.ts"

interface Failing {
  readonly packageName: string
  readonly flake?: string
  readonly reason: string
  readonly message: RegExp
  readonly log: RegExp
  /** Beside what the Pod's annotations can say. */
  readonly spec?: Partial<NixBuild["spec"]>
}

const table: ReadonlyArray<Failing> = [
  {
    packageName: "hello",
    flake: "bad-syntax",
    reason: "EvaluationFailed",
    message: /syntax error/,
    log: /syntax error/
  },
  {
    packageName: "nobody-wrote-this",
    reason: "AttributeMissing",
    message: /nobody-wrote-this/,
    log: /nobody-wrote-this/
  },
  { packageName: "eval-throw", reason: "EvaluationFailed", message: /evaluat/i, log: /throws when it is evaluated/ },
  { packageName: "fail", reason: "BuildFailed", message: /fail/i, log: /the compiler says no/ },
  { packageName: "words", reason: "BuildFailed", message: /exit code 3/, log: /No space left on device/ },
  { packageName: "huge-log", reason: "BuildFailed", message: /exit code 3/, log: /the end of a long log/ },
  {
    packageName: "hang",
    reason: "TimedOut",
    message: /timeoutSeconds/,
    log: /about to hang/,
    // Longer than it takes to begin where all else is slow.
    spec: { timeoutSeconds: 90 }
  },
  {
    packageName: "hungry",
    reason: "OutOfMemory",
    message: /memory/,
    // With cgroup v2 nobody is left who could tell of the log.
    log: /getting hungry|memory|^$/,
    spec: { resources: { limits: { memory: "400Mi" } } }
  },
  { packageName: "not-an-image", reason: "NotAnImage", message: /image/, log: /making a text/ },
  { packageName: "trunc-tar", reason: "NotAnImage", message: /image|archive/, log: /making half an archive/ },
  { packageName: "wrong-arch", reason: "WrongArchitecture", message: /s390x/, log: /making an image for s390x/ },
  { packageName: "hash-mismatch", reason: "HashMismatch", message: /hash/, log: /hash mismatch/ }
]

// A second node would have a failed Job of its own.
const node = "enbi-test-worker"

describe("failures", () => {
  for (const failing of table) {
    it.live(`${failing.flake ?? "images"}#${failing.packageName}: ${failing.reason}`, () =>
      Effect.gen(function* () {
        const ns = yield* makeNamespace(`fails-${failing.flake ?? ""}${failing.packageName}`)
        const wish = {
          flakeUrl: flakeUrl(failing.flake),
          imageTag: `registry.invalid/${ns}/app:1`,
          packageName: failing.packageName,
          system: "x86_64-linux" as const
        }
        const build = { namespace: ns, name: nameForPods(wish) }
        // By hand, but under the name that the Pod's annotations lead to, to say more than they can.
        if (failing.spec !== undefined) yield* apply(nixBuild(build, { ...wish, ...failing.spec, nodes: [node] }))
        const waits = { namespace: ns, name: "waits" }
        yield* apply(
          pod(waits, { annotations: annotations(wish), container: { image: wish.imageTag }, nodeName: node })
        )
        // One that was made by hand may have failed before kubelet has tried to pull.
        if (failing.spec === undefined) yield* told("Pod", waits, "ImageBuilding")
        const { metadata, status } = yield* complete(build)
        assert.strictEqual(status?.status, "Failed")
        assert.strictEqual(status?.failure?.reason, failing.reason)
        assert.match(status?.failure?.message ?? "", failing.message)
        assert.match(status?.failure?.log ?? "", failing.log)
        const stalled = status?.conditions?.find((condition) => condition.type === "Stalled")
        assert.strictEqual(stalled?.reason, failing.reason)
        const success = status?.conditions?.find((condition) => condition.type === "Success")
        assert.strictEqual(success?.status, "False")

        for (const [kind, at] of [
          ["NixBuild", build],
          ["Pod", waits]
        ] as const) {
          const { message, type } = yield* told(kind, at, failing.reason)
          assert.strictEqual(type, "Warning")
          assert.match(message, failing.message)
          assert.match(message, failing.log)
        }
        // The outcome is told when the container ends, which is before Kubernetes says so of its Job.
        const [job, ...others] = yield* amongAll("its Job fails", { kind: jobs, namespace: ns }, (all) =>
          when(all, all.length > 0 && all.every(isFailed))
        )
        assert.strictEqual(job?.metadata.name, status?.buildJobName)
        assert.lengthOf(others, 0)
        const log = yield* kubectl("logs", "-n", ns, `job/${job?.metadata.name}`)
        assert.isNotEmpty(log, "the Pod is kept for reading")
        assert.isBelow(log.length, 10 * 2 ** 20)
        assert.match(log, /^fetching /, "from its beginning")
        assert.lengthOf(yield* list(nixBuilds, ns), 1, `${metadata.name} alone`)
      }).pipe(Effect.provide(services))
    )
  }

  it.live("what may pass is tried four times, and once more when somebody asks for it", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("fails-to-fetch")
      const at = { namespace: ns, name: "unreachable" }
      yield* apply(nixBuild(at, { flakeUrl: flakeUrl("nobody-serves-this") }))
      const first = yield* told("NixBuild", at, "FetchFailed")
      assert.match(first.message, /404[^]*Attempt 2 begins at/)
      const attempt = (number: number) =>
        becomes(
          `attempt ${number}`,
          nixBuilds,
          at,
          Option.filter((build) => build.status?.attempt === number)
        )
      const retry = (value: string) =>
        kubectl("annotate", "nixbuild", "-n", ns, at.name, "--overwrite", `enbi.hrzn.ee/retry=${value}`)
      // Each would begin by itself, at the first sweep after its time. The fourth is the last: asked for once it has
      // failed, there would be a fifth.
      for (const number of [2, 3]) {
        const { status } = yield* attempt(number)
        assert.notStrictEqual(status?.status, "Failed")
        yield* retry(`${number}`)
      }
      const { status } = yield* complete(at)
      assert.strictEqual(status?.status, "Failed")
      assert.strictEqual(status?.attempt, 4)
      assert.strictEqual(status?.failure?.reason, "FetchFailed")
      assert.match(status?.failure?.log ?? "", /404/)

      yield* retry("once more")
      const fifth = yield* attempt(5)
      assert.notStrictEqual(fifth.status?.status, "Failed")
      // It would try three times more.
      yield* kubectl("delete", "nixbuild", "-n", at.namespace, at.name)
    }).pipe(Effect.provide(services))
  )
})
