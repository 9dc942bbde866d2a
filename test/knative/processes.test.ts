/** The stand-ins as processes, one after the other: events, sweeps, faults that are asked for, and how they end. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { makeApiServer } from "./api-server.ts"
import { send } from "./contract-backend.ts"
import { answer, type Headers, valueOf } from "./http.ts"
import { startBroker, startSource } from "./processes.ts"
import { makeRecorder } from "./recorder.ts"

const broker = { apiVersion: "eventing.knative.dev/v1", kind: "Broker", metadata: { name: "b" } }

const trigger = (name: string, attributes: Readonly<Record<string, string>>, delivery: object = {}) => ({
  apiVersion: "eventing.knative.dev/v1",
  kind: "Trigger",
  metadata: { name },
  spec: {
    broker: "b",
    filter: { attributes },
    subscriber: { ref: { apiVersion: "serving.knative.dev/v1", kind: "Service", name } },
    delivery
  }
})

const source = (kind: string, spec: object) => ({
  apiVersion: "sources.knative.dev/v1",
  kind,
  metadata: { name: "s" },
  spec: { sink: { ref: { apiVersion: "eventing.knative.dev/v1", kind: "Broker", name: "b" } }, ...spec }
})

const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "somebody else's" } }

const makeFile = Effect.fnUntraced(function* (...manifests: ReadonlyArray<object>) {
  const files = yield* FileSystem.FileSystem
  const file = yield* files.makeTempFileScoped({ suffix: ".yaml" })
  yield* files.writeFileString(file, manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n"))
  return file
})

const ask = (url: string, method: "PUT" | "DELETE", to: string) =>
  Effect.map(send(url, { method, to, headers: [] }), ({ status }) => assert.strictEqual(status, 204))

it.live(
  "an object's changes and the sweeps reach their subscribers, and what is asked to be lost is",
  () =>
    Effect.gen(function* () {
      const api = yield* makeApiServer
      const recorder = yield* makeRecorder({ now: () => 0, respond: () => Effect.succeed(answer(204)) })
      const manifests = yield* makeFile(
        account,
        broker,
        trigger("changes", { kind: "Pod" }),
        trigger("sweeps", { type: "dev.knative.sources.ping" }),
        source("ApiServerSource", { resources: [{ apiVersion: "v1", kind: "Pod" }], namespaceSelector: {} }),
        source("PingSource", { schedule: "*/30 * * * * *" })
      )
      const standIn = yield* startBroker({
        MANIFESTS: manifests,
        NAMESPACE: "cap",
        SUBSCRIBERS: JSON.stringify({ changes: `${recorder.url}/changes`, sweeps: `${recorder.url}/sweeps` })
      })
      const start = startSource({
        MANIFESTS: manifests,
        NAMESPACE: "cap",
        SUBSCRIBERS: JSON.stringify({ changes: "http://x", sweeps: "http://x" }),
        KUBERNETES_URL: api.url,
        K_SINK: `${standIn.url}/cap/b`,
        PING_INTERVAL: "100 millis"
      })
      /** The next change, and whether sweeps came meanwhile or come before the next. */
      const nextChange = Effect.gen(function* () {
        let received = yield* recorder.next
        while (received.label === "sweeps") received = yield* recorder.next
        return valueOf(received.headers, "Ce-Name")
      })
      const aSweep = Effect.repeat(recorder.next, { until: ({ label }) => label === "sweeps" })

      yield* api.create("before")
      const first = yield* start
      yield* api.create("seen")
      assert.strictEqual(yield* nextChange, "seen")

      yield* api.createUnseen("lost by a 410")
      yield* api.create("seen after the 410")
      assert.strictEqual(yield* nextChange, "seen after the 410")

      yield* ask(first.url, "PUT", "/faults/gap")
      yield* api.create("lost in the gap")
      yield* ask(first.url, "DELETE", "/faults/gap")
      yield* api.create("seen after the gap")
      assert.strictEqual(yield* nextChange, "seen after the gap")

      yield* ask(first.url, "PUT", "/faults/drop")
      yield* api.create("dropped")
      yield* aSweep
      yield* aSweep
      yield* ask(first.url, "DELETE", "/faults/drop")
      yield* api.create("no longer dropped")
      assert.strictEqual(yield* nextChange, "no longer dropped")

      yield* first.kill("SIGKILL")
      yield* api.create("lost in the restart")
      const second = yield* start
      yield* api.create("seen after the restart")
      assert.strictEqual(yield* nextChange, "seen after the restart")

      yield* second.kill("SIGTERM")
      yield* standIn.kill("SIGTERM")
      assert.deepStrictEqual([yield* second.exitCode, yield* standIn.exitCode], [0, 0])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  30_000
)

it.live(
  "the Broker ends with code 2 where Knative's dispatcher panics",
  () =>
    Effect.gen(function* () {
      const recorder = yield* makeRecorder({
        now: () => 0,
        respond: () => Effect.succeed(answer(500, [["Content-Type", "text/plain"]], "x".repeat(769)))
      })
      const deadLetterSink = { uri: `${recorder.url}/dls` }
      const delivery = { retry: 3, backoffPolicy: "exponential", backoffDelay: "PT1H", deadLetterSink }
      const standIn = yield* startBroker({
        MANIFESTS: yield* makeFile(broker, trigger("long", {}, delivery)),
        NAMESPACE: "cap",
        TIME_SCALE: "0",
        SUBSCRIBERS: JSON.stringify({ long: `${recorder.url}/long` })
      })
      const headers: Headers = ["Specversion", "Id", "Type", "Source"].map((name) => [`Ce-${name}`, "1.0"])
      const told = yield* send(standIn.url, { to: "/cap/b", headers })
      assert.strictEqual(told.status, 500)
      assert.strictEqual(yield* standIn.exitCode, 2)
      assert.include(yield* standIn.output, "panic: index out of range [1024]")
      assert.strictEqual(recorder.to("long").length, 4)
      assert.strictEqual(recorder.to("dls").length, 0)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  30_000
)

it.live(
  "a process that lacks a setting says which, and ends with code 1",
  () =>
    Effect.gen(function* () {
      const manifests = yield* makeFile(broker, trigger("nowhere", {}))
      const error = yield* Effect.flip(startBroker({ MANIFESTS: manifests }))
      assert.include(error.message, "no URL is known of Service nowhere")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  30_000
)
