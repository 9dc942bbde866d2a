/** Events are hints: what the functions below functions/ make of bodies that are old, wrong or forged. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { readAttributes } from "../../lib/cloudevents/event.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { Receiver } from "../../lib/server/receiver.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { nixBuild, onePod, waitingPod } from "../memory/given.ts"
import { receiver } from "./serve.ts"

const functions = await Effect.runPromise(
  loadFunctions(new URL("../../functions/", import.meta.url)).pipe(Effect.provide(NodeServices.layer))
)

type Verb = "add" | "update" | "delete"

interface Sent {
  /** The object that the attributes name. */
  readonly about: KubernetesObject
  /** The body; absent: the same object. */
  readonly data?: unknown
  readonly verb?: Verb
}

const send = Effect.fnUntraced(function* ({ about, data = about, verb = "update" }: Sent) {
  const { receive } = yield* Receiver
  const { kind, metadata } = about
  const attributes = {
    specversion: "1.0",
    id: "1",
    source: "https://10.96.0.1:443",
    type: `dev.knative.apiserver.resource.${verb}`,
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    datacontenttype: "application/json"
  }
  const event = Result.map(readAttributes(Object.entries(attributes)), (read) => ({ attributes: read, data }))
  assert.deepStrictEqual(yield* receive({ bytes: 0, read: Effect.fromResult(event) }), {
    status: 204
  })
})

/** What the function asks of an API server that has `given`, and what it writes, when these events come. */
const asked = Effect.fnUntraced(function* (
  name: string,
  given: ReadonlyArray<KubernetesObject>,
  ...events: ReadonlyArray<Sent>
) {
  const api = makeApiServer()
  yield* Effect.forEach(given, api.objects.create)
  const definition = functions.find((one) => one.name === name)
  if (definition === undefined) return yield* Effect.die(`no function ${name}`)
  return yield* Effect.forEach(events, (event) =>
    Effect.gen(function* () {
      const [requests, writes] = [api.requests.length, api.writes.length]
      yield* send(event)
      return { requests: api.requests.length - requests, writes: api.writes.slice(writes) }
    })
  ).pipe(Effect.provide(receiver(definition, api)))
})

const wish = { name: "a", image: "reg.io/a:1", packageName: "good" } as const
const pod = waitingPod({ ...wish, nodeName: "one" })
const running = { ...pod, status: { phase: "Running", containerStatuses: [{ name: "app", state: { running: {} } }] } }
const plain = { ...pod, metadata: { name: "a", namespace: "apps", annotations: { other: "x" } } }
const build = nixBuild({ ...wish, nodes: ["one"] })
const ended = {
  ...build,
  status: {
    status: "Succeeded",
    buildNode: "one",
    conditions: ["Scheduled", "Launched", "Success", "Complete"].map((type) => ({
      type,
      status: "True",
      reason: "NodeFound",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z"
    }))
  }
}
const job = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "job", namespace: "apps", uid: "job", resourceVersion: "1" }
}
/** As a watch tells of an object. */
const told = (object: KubernetesObject, uid = "uid-told"): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, uid, resourceVersion: "1" }
})

describe("what needs no look", () => {
  const rows: Record<string, readonly [name: string, about: KubernetesObject]> = {
    "a Pod without our annotations": ["pod-failure-detector", told(plain)],
    "a Pod that runs": ["pod-failure-detector", told(running)],
    "a Pod of no Job of ours": ["importer-status", told(plain)],
    "somebody's Job": ["importer-status", job],
    "somebody's Job, to who launches Jobs": ["job-launcher", job],
    "somebody's Job, to who imports": ["importer", job]
  }
  for (const [what, [name, about]] of Object.entries(rows)) {
    it.effect(`${what} costs no request`, () =>
      Effect.gen(function* () {
        const [event] = yield* asked(name, onePod, { about })
        assert.deepStrictEqual(event, { requests: 0, writes: [] })
      })
    )
  }
})

describe("what is looked at, whatever the body says", () => {
  const reference = { kind: "Pod", namespace: "apps", name: "a", apiVersion: "v1" }
  const rows: Record<string, unknown> = {
    "no body": undefined,
    "a reference, which mode Reference sends": reference,
    "64 another object": told({ ...plain, metadata: { ...plain.metadata, name: "b" } }),
    "64 an object of the same name elsewhere": told({ ...plain, metadata: { ...plain.metadata, namespace: "b" } }),
    "64 an object of another kind": { ...told(plain), kind: "Job" },
    "a Pod that we can't read": { ...told(plain), spec: { containers: "none" } },
    text: "x",
    "a list": [told(plain)]
  }
  for (const [what, data] of Object.entries(rows)) {
    it.effect(`${what}: the Pod that the attributes name gets its NixBuild`, () =>
      Effect.gen(function* () {
        const sent = { about: pod, data }
        const [first, second, third] = yield* asked("pod-failure-detector", onePod, sent, sent, sent)
        assert.isTrue(first?.writes.every((write) => write.startsWith("create NixBuild/")))
        // With the NixBuild's uid, which is not known before.
        assert.isTrue(second?.writes.every((write) => write.startsWith("create Event/")))
        assert.deepStrictEqual([first?.writes.length, second?.writes.length], [1, 1])
        assert.deepStrictEqual(third?.writes, [], "a duplicate")
      })
    )
  }
})

describe("what is not there", () => {
  it.effect("64 an object in the body that the attributes do not name leads to nothing", () =>
    Effect.gen(function* () {
      const about = { ...pod, metadata: { ...pod.metadata, name: "gone" } }
      const [event] = yield* asked("pod-failure-detector", onePod, { about, data: told(pod) })
      assert.deepStrictEqual(event?.writes, [])
    })
  )

  it.effect("65 an old object of the name leads to nothing that the new one does not ask for", () =>
    Effect.gen(function* () {
      const given = onePod.map((object) => (object.kind === "Pod" ? running : object))
      for (const verb of ["update", "delete"] as const) {
        const [event] = yield* asked("pod-failure-detector", given, { about: pod, data: told(pod, "uid-old"), verb })
        assert.deepStrictEqual(event?.writes, [])
      }
    })
  )

  const all: ReadonlyArray<readonly [name: string, about: KubernetesObject]> = [
    ["pod-failure-detector", pod],
    ["pod-failure-detector", build],
    ["scheduler", build],
    ["job-launcher", build],
    ["importer", build],
    ["importer-status", build],
    ["importer-status", pod],
    ["pod-waker", build],
    ["retention", build]
  ]
  for (const verb of ["add", "update", "delete"] as const) {
    it.effect(`66 ${verb} of an object that nobody has leads to nothing`, () =>
      Effect.gen(function* () {
        for (const [name, about] of all) {
          const [event] = yield* asked(name, [], { about, data: told(about), verb })
          assert.deepStrictEqual(event?.writes, [], name)
        }
      })
    )
  }

  it.effect("67 a status that is forged in the body does nothing", () =>
    Effect.gen(function* () {
      const given = [...onePod, build]
      for (const name of ["job-launcher", "importer", "importer-status", "pod-waker", "retention"]) {
        const [event] = yield* asked(name, given, { about: build, data: told(ended) })
        assert.deepStrictEqual(event?.writes, [], name)
      }
      const [event] = yield* asked("scheduler", given, { about: build, data: told(ended) })
      assert.isTrue(
        event?.writes.some((write) => write.startsWith("patch NixBuild/")),
        "it is scheduled all the same"
      )
    })
  )
})
