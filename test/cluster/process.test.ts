/** The functions as a process: health, an orderly end, and what stops them at the start. */
import { assert, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { inject } from "vitest"
import { eventually, services, when } from "./cluster.ts"

const start = Effect.fnUntraced(function* (env: Record<string, string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  return yield* spawner.spawn(
    ChildProcess.make(process.execPath, ["embedded/main.ts"], { env, extendEnv: true, stdin: "ignore" })
  )
})

const statusOf = (port: number, path: string) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      (response) => response.status,
      () => 0
    )
  )

/** `kubectl proxy` on a port of its own choice. */
const proxy = Effect.gen(function* () {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner.spawn(
    ChildProcess.make("kubectl", ["proxy", "--port=0"], { env: { KUBECONFIG: inject("kubeconfig") }, extendEnv: true })
  )
  const line = yield* handle.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead)
  return `http://${/127\.0\.0\.1:\d+/.exec(Option.getOrElse(line, () => ""))?.[0]}`
})

it.live("is ready once it has read the cluster, and ends with code 0 on SIGTERM", () =>
  Effect.gen(function* () {
    const port = 18_080
    const handle = yield* start({
      KUBERNETES_URL: yield* proxy,
      BUILDER_IMAGE: inject("builderImage"),
      PORT: String(port)
    })
    yield* eventually(
      "readiness",
      Effect.map(statusOf(port, "/health/readiness"), (status) => when(status, status === 200)),
      "30 seconds"
    )
    assert.strictEqual(yield* statusOf(port, "/health/liveness"), 200)
    yield* handle.kill({ killSignal: "SIGTERM" })
    assert.strictEqual(yield* handle.exitCode, 0)
  }).pipe(Effect.scoped, Effect.provide(services))
)

it.live("says which setting is missing and ends with code 1", () =>
  Effect.gen(function* () {
    const handle = yield* start({ KUBERNETES_URL: "http://127.0.0.1:1", PORT: "18081", BUILDER_IMAGE: "" })
    const text = yield* Stream.mkString(Stream.decodeText(handle.all))
    assert.include(text, "BUILDER_IMAGE")
    assert.strictEqual(yield* handle.exitCode, 1)
  }).pipe(Effect.scoped, Effect.provide(services))
)
