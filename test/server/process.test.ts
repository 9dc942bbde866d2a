/** A function's process: how it begins and ends, and how it bears 10,000 events at once. */
import { NodeServices } from "@effect/platform-node"
import { assert, beforeAll, afterAll, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FileSystem, Latch, Scope } from "effect"
import { Agent, request } from "node:http"
import { makeProgram, serveNothing, startProgram } from "./process.ts"
import { type Headers, podEvent } from "./serve.ts"

const scope = Scope.makeUnsafe()
let file = ""
beforeAll(
  () =>
    Effect.runPromise(
      makeProgram("pod-failure-detector").pipe(
        Effect.map((made) => {
          file = made
        }),
        Scope.provide(scope),
        Effect.provide(NodeServices.layer)
      )
    ),
  30_000
)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

interface Answer {
  readonly status: number | undefined
  readonly retryAfter: string | undefined
}

/** The answer; fails when there is no connection. */
const send = (url: string, event: { readonly headers: Headers; readonly body: string; readonly agent?: Agent }) =>
  Effect.callback<Answer, Error>((resume) => {
    const { agent, body, headers } = event
    const options = { method: "POST", headers, ...(agent === undefined ? {} : { agent }) }
    const outgoing = request(url, options, (response) => {
      response.resume()
      response.on("end", () => {
        resume(Effect.succeed({ status: response.statusCode, retryAfter: response.headers["retry-after"] }))
      })
    })
    outgoing.on("error", (error) => resume(Effect.fail(error)))
    outgoing.end(body)
  })

const waiting = (name: string) =>
  JSON.stringify({
    kind: "Pod",
    metadata: {
      name,
      namespace: "apps",
      uid: name,
      resourceVersion: "1",
      annotations: { "enbi.hrzn.ee/nixbuild-flakeUrl": "github:a/b" },
      managedFields: [{ fieldsV1: "x".repeat(1000) }]
    },
    spec: { containers: [{ name: "app", image: "a" }] },
    status: { containerStatuses: [{ name: "app", state: { waiting: { reason: "ErrImagePull" } } }] }
  })

const mebibytes = Effect.fnUntraced(function* (pid: number, what: "VmRSS" | "VmHWM") {
  const files = yield* FileSystem.FileSystem
  const status = yield* files.readFileString(`/proc/${pid}/status`)
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024
})

describe("a function's process", () => {
  it.effect("holds none of the libraries that are for the command line, a desk and the tests", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const text = yield* files.readFileString(file)
      const packages = [...text.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name]) => name)
      const held = ["@effect/platform-node", "@effect/platform-node-shared", "effect", "ws"]
      assert.deepStrictEqual([...new Set(packages)].toSorted(), held)
      // Loaded where there is a kubeconfig, and there only.
      const code = text.replaceAll(/^\s*(?:\*|\/\/).*$/gm, "")
      const outside = [...code.matchAll(/(?:from |import |import\()"(?!node:)[^"]+"/g)].map(([all]) => all)
      assert.deepStrictEqual(outside, ['import("@kubernetes/client-node"'])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live(
    "ends what it began on SIGTERM, takes nothing new, and ends with code 0",
    () =>
      Effect.gen(function* () {
        const gate = yield* Latch.make()
        const begun = yield* Deferred.make<void>()
        const api = yield* serveNothing(Effect.andThen(Deferred.succeed(begun, undefined), gate.await))
        const { handle, isListening, url } = yield* startProgram(file, {
          KUBERNETES_URL: api.url,
          BUILDER_IMAGE: "builder:1"
        })
        yield* isListening
        // As Knative's senders do, which keep a connection for the next event.
        const agent = new Agent({ keepAlive: true })
        const event = { headers: podEvent(), body: waiting("a"), agent }
        const fiber = yield* Effect.forkChild(send(url, event), { startImmediately: true })
        yield* Deferred.await(begun)
        process.kill(handle.pid, "SIGTERM")
        yield* Effect.flip(Effect.forever(send(url, { headers: {}, body: "", agent })))
        yield* gate.open
        assert.strictEqual((yield* Fiber.join(fiber)).status, 204)
        assert.strictEqual(yield* handle.exitCode, 0)
        agent.destroy()
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    30_000
  )

  const settings: Record<string, Record<string, string>> = {
    BUILDER_IMAGE: {},
    PORT: { BUILDER_IMAGE: "builder:1", PORT: "http" }
  }
  for (const [name, env] of Object.entries(settings)) {
    it.live(
      `says that ${name} is not set as it must be, and ends with code 1`,
      () =>
        Effect.gen(function* () {
          const { handle, lines, output } = yield* startProgram(file, { KUBERNETES_URL: "http://127.0.0.1:1", ...env })
          yield* Fiber.join(output)
          assert.include(lines.join("\n"), name)
          assert.strictEqual(yield* handle.exitCode, 1)
        }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
      30_000
    )
  }

  it.live(
    "bears 10,000 events: each is done or is to come again, in bounded memory",
    () =>
      Effect.gen(function* () {
        const api = yield* serveNothing(Effect.void)
        const { handle, isListening, url } = yield* startProgram(file, {
          KUBERNETES_URL: api.url,
          BUILDER_IMAGE: "builder:1"
        })
        yield* isListening
        assert.isBelow(yield* mebibytes(handle.pid, "VmRSS"), 80)
        const agent = new Agent({ keepAlive: true, maxSockets: 200 })
        const names = Array.from({ length: 10_000 }, (_, index) => `pod-${index}`)
        const sendPod = (name: string) =>
          send(url, { headers: podEvent({ "ce-name": name }), body: waiting(name), agent })
        const answers = yield* Effect.forEach(
          names,
          (name) => Effect.map(sendPod(name), (answer) => ({ ...answer, name })),
          { concurrency: 400 }
        )
        const looked = new Set(api.asked.map((path) => path.split("/").at(-1)))
        for (const { name, retryAfter, status } of answers) {
          if (status === 204) assert.isTrue(looked.has(name), `${name} was acknowledged without a look`)
          else assert.deepStrictEqual({ status, retryAfter }, { status: 503, retryAfter: "1" })
        }
        assert.strictEqual(answers.filter(({ status }) => status === 204).length, looked.size)
        assert.isAbove(answers.filter(({ status }) => status === 503).length, 0)
        assert.isBelow(yield* mebibytes(handle.pid, "VmHWM"), 256)
        assert.strictEqual((yield* sendPod("after")).status, 204)
        agent.destroy()
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    60_000
  )
})
