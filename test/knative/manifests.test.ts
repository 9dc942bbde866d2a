/** What the stand-ins take of Knative's manifests, ours among them, and what they refuse. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { delaysOf } from "./delivery.ts"
import { readManifests } from "./manifests.ts"

const places = { namespace: "n", services: { f: "http://f.local", g: "http://g.local/base/" } }

const read = (...manifests: ReadonlyArray<object>) =>
  readManifests(
    manifests.map((manifest) => JSON.stringify(manifest)),
    places
  )

const broker = (spec?: object) => ({
  apiVersion: "eventing.knative.dev/v1",
  kind: "Broker",
  metadata: { name: "b" },
  ...(spec === undefined ? {} : { spec })
})

const at = (name: string, uri?: string) => ({
  ref: { apiVersion: "v1", kind: "Service", name },
  ...(uri === undefined ? {} : { uri })
})

const trigger = (spec: object) => ({
  apiVersion: "eventing.knative.dev/v1",
  kind: "Trigger",
  metadata: { name: "t" },
  spec: { broker: "b", subscriber: at("f"), ...spec }
})

const source = (kind: string, spec: object) => ({
  apiVersion: "sources.knative.dev/v1",
  kind,
  metadata: { name: "s" },
  spec: { sink: {}, ...spec }
})

it.effect("the manifests of this project can be carried out", () =>
  Effect.gen(function* () {
    const directory = new URL("../../eventing/", import.meta.url)
    const texts = readdirSync(directory)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => readFileSync(new URL(name, directory), "utf8"))
    const names = texts.flatMap((text) => [...text.matchAll(/name: ([a-z-]+)/g)].map(([, name = ""]) => name))
    const services = Object.fromEntries(names.map((name) => [name, `http://${name}.local`]))
    const enbi = { ...broker(), metadata: { name: "enbi" } }
    const withBroker = texts.some((text) => text.includes("kind: Broker")) ? texts : [...texts, JSON.stringify(enbi)]
    const { triggers } = yield* readManifests(withBroker, { namespace: "enbi-system", services })
    assert.isAtLeast(triggers.length, 18)
    for (const { delivery, filter, name, subscriber } of triggers) {
      assert.isTrue(name.startsWith(new URL(subscriber).hostname.replace(".local", "")))
      assert.strictEqual(Object.keys(filter).length, 1)
      assert.deepStrictEqual(delaysOf(delivery), [200, 400, 800])
    }
  })
)

const slow = { retry: 2, backoffPolicy: "linear", backoffDelay: "PT1M1.5S", timeout: "PT10S" }

describe("delivery", () => {
  const rows: ReadonlyArray<readonly [what: string, broker: object | undefined, trigger: object, expected: object]> = [
    [
      "of the Trigger in place of the Broker's, as a whole",
      { delivery: slow },
      { delivery: { retry: 1 } },
      { retry: 1, backoffPolicy: undefined, backoffDelayMillis: 0, timeoutMillis: undefined }
    ],
    [
      "of the Broker where the Trigger has none",
      { delivery: slow },
      {},
      { retry: 2, backoffPolicy: "linear", backoffDelayMillis: 61_500, timeoutMillis: 10_000 }
    ],
    ["of the webhook where nobody has any", undefined, {}, { retry: 10, backoffDelayMillis: 200 }],
    [
      "with the Broker's dead letter sink where the Trigger names none",
      { delivery: { deadLetterSink: at("g", "letters") } },
      { delivery: { retry: 1 } },
      { retry: 1, deadLetterSink: "http://g.local/base/letters" }
    ],
    [
      "with the Trigger's own dead letter sink otherwise",
      { delivery: { deadLetterSink: at("g") } },
      { delivery: { deadLetterSink: { uri: "http://h.local/x" } } },
      { retry: 0, deadLetterSink: "http://h.local/x" }
    ]
  ]
  for (const [what, brokerSpec, triggerSpec, expected] of rows) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { triggers } = yield* read(broker(brokerSpec), trigger(triggerSpec))
        assert.deepInclude(triggers[0]?.delivery, expected)
      })
    )
  }
})

describe("refused by name", () => {
  const kind = { apiVersion: "v1", kind: "Pod" }
  const refused: Record<string, readonly [who: string, ...manifests: ReadonlyArray<object>]> = {
    "another filter dialect": ["Trigger t", broker(), trigger({ filters: [{ exact: { kind: "Pod" } }] })],
    "an empty value, which brokers read differently": [
      "Trigger t",
      broker(),
      trigger({ filter: { attributes: { kind: "" } } })
    ],
    "a field behind a feature flag": ["Trigger t", broker(), trigger({ delivery: { retryAfterMax: "PT1M" } })],
    "a duration of another form": ["Trigger t", broker(), trigger({ delivery: { backoffDelay: "0.2s" } })],
    "a Broker that is not there": ["Trigger t", trigger({})],
    "a subscriber that is nowhere": ["Trigger t", broker(), trigger({ subscriber: at("h") })],
    "a subscriber of neither kind": ["Trigger t", broker(), trigger({ subscriber: { uri: "/path" } })],
    "another kind of Knative's": [
      "Sequence q",
      { apiVersion: "flows.knative.dev/v1", kind: "Sequence", metadata: { name: "q" } }
    ],
    "an owner filter": ["ApiServerSource s", source("ApiServerSource", { resources: [kind], owner: kind })],
    "namespaces by label": [
      "ApiServerSource s",
      source("ApiServerSource", { resources: [kind], namespaceSelector: { matchLabels: { a: "b" } } })
    ],
    "no resources": ["ApiServerSource s", source("ApiServerSource", { resources: [] })],
    "bytes in a tick": ["PingSource s", source("PingSource", { schedule: "* * * * *", dataBase64: "eA==" })]
  }
  for (const [what, [who, ...manifests]] of Object.entries(refused)) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(read(...manifests))
        assert.include(message, who)
      })
    )
  }
})
