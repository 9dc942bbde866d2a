/** The functions as a process: health, an orderly end, and what stops them at the start. */
import { assert, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { inject } from "vitest"
import { kindsOf } from "../../lib/runtime/function.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { parse } from "../metrics/scrape.ts"
import { eventually, services, when } from "./cluster.ts"
import { proxy } from "./watch.ts"

const start = Effect.fnUntraced(function* (env: Record<string, string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  return yield* spawner.spawn(
    ChildProcess.make(process.execPath, ["embedded/main.ts"], { env, extendEnv: true, stdin: "ignore" })
  )
})

const metricsOf = (port: number) =>
  Effect.promise(() => fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text()))

const statusOf = (port: number, path: string) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      (response) => response.status,
      () => 0
    )
  )

it.live("is ready once it has read the cluster, has metrics, and ends with code 0 on SIGTERM", () =>
  Effect.gen(function* () {
    const port = 18_080
    const handle = yield* start({
      KUBERNETES_URL: yield* proxy,
      BUILDER_IMAGE: inject("builderImage"),
      PORT: String(port)
    })
    yield* eventually(
      "readiness",
      Effect.map(statusOf(port, "/health/readiness"), (status) => when(status, status === 200))
    )
    assert.strictEqual(yield* statusOf(port, "/health/liveness"), 200)
    const families = parse(yield* metricsOf(port))
    assert.strictEqual(families.get("nixbuild_builds_total")?.type, "counter")
    const requests = families.get("nixbuild_api_requests_total")?.samples
    const lists = requests?.get('nixbuild_api_requests_total{verb="LIST",code="200"}')
    assert.isAtLeast(lists ?? 0, kindsOf(yield* loadFunctions(new URL("../../functions/", import.meta.url))).length)
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
