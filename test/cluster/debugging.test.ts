/** `docs/debugging.md`, typed as it stands there; and `enbi build`, as people use it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { nameForPods } from "../../lib/nixbuild/make.ts"
import { annotations, apply, flakeUrl, makeNamespace, pod, services, told } from "./cluster.ts"
import { Kubeconfig } from "./kubectl.ts"

/** A shell in a directory of its own, with the cluster as its current context and `enbi` on its PATH. */
const makeShell = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const cwd = yield* files.makeTempDirectoryScoped()
  yield* files.symlink(path.resolve("cli/enbi.js"), path.join(cwd, "enbi"))
  const env = { KUBECONFIG: yield* Kubeconfig, PATH: `${cwd}:${process.env["PATH"]}` }
  return Effect.fnUntraced(function* (command: string) {
    const handle = yield* spawner.spawn(
      ChildProcess.make("bash", ["-c", command], { cwd, env, extendEnv: true, stdin: "ignore", stderr: "inherit" })
    )
    const out = yield* Stream.mkString(Stream.decodeText(handle.stdout))
    return { out, code: Number(yield* handle.exitCode) }
  }, Effect.scoped)
})

/** What the page has people type, in order. */
const commandsOfPage = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString("docs/debugging.md")
  return text.split("\n").flatMap((line) => (line.startsWith("$ ") ? [line.slice(2)] : []))
})

describe("debugging", () => {
  it.live("a NixBuild that went wrong, found as docs/debugging.md says", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("debugging")
      const imageTag = "registry.invalid/debugging/fail:1"
      const wanted = annotations({ imageTag, packageName: "fail" })
      const app = pod(
        { namespace: ns, name: "app" },
        {
          annotations: wanted,
          container: { image: imageTag },
          nodeName: "enbi-test-worker"
        }
      )
      yield* apply(app)
      const name = nameForPods({
        flakeUrl: flakeUrl(),
        imageTag,
        packageName: "fail",
        system: "x86_64-linux"
      })
      yield* told("Pod", { namespace: ns, name: "app" }, "BuildFailed")

      const commands = yield* commandsOfPage
      assert.lengthOf(commands, 6)
      const shell = yield* makeShell
      let id = ""
      const outputs: Array<string> = []
      for (const command of commands) {
        const ours = command
          .replaceAll("-n apps", `-n ${ns}`)
          .replaceAll("podwatcher-15672d7bc6", name)
          .replaceAll("2d5eb9b9f7", id)
        const { code, out } = yield* shell(ours)
        assert.strictEqual(code, 0, `${ours}\n${out}`)
        outputs.push(out)
        // The decision under which it says that the build failed.
        id =
          /^(\w+) .*importer-status(?:(?!^\w)[^])*?Event on the NixBuild: BuildFailed/m.exec(outputs[0] ?? "")?.[1] ??
          ""
      }
      const [list = "", show = "", log = "", replayed = "", , decided = ""] = outputs
      assert.match(list, /pod-failure-detector .*Pod debugging\/app\n +Create NixBuild/)
      assert.match(show, /exitCode: 1/)
      assert.include(log, "the compiler says no")
      assert.match(replayed, /would cause 0 writes\b/)
      // The scheduler looks at all NixBuilds, and other tests have left so many that the log has no room for them.
      assert.match(decided, /^Same decision: [1-9]\d*; different: 0; cannot be decided again: \d+\./m)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("enbi build ends with 0 when the image is there, and with 1 when it does not build", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("enbi-build")
      const shell = yield* makeShell
      const build = (name: string) =>
        shell(`enbi build -n ${ns} '${flakeUrl()}#${name}' --tag registry.invalid/enbi-build/${name}:1`)
      const good = yield* build("hello")
      assert.strictEqual(good.code, 0, good.out)
      const bad = yield* build("fail")
      assert.strictEqual(bad.code, 1, bad.out)
      assert.include(bad.out, "BuildFailed")
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})
