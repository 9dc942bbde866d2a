/** In which forms events are found. */
import { assert, describe, it } from "@effect/vitest"
import { stringify } from "yaml"
import { eventsIn } from "../../cli/events/event-file.ts"

const attributes = {
  specversion: "1.0",
  id: "1",
  source: "https://10.96.0.1:443",
  type: "dev.knative.apiserver.ref.update",
  kind: "NixBuild",
  namespace: "apps",
  name: "a"
}
const data = { kind: "NixBuild", name: "a" }
const decision = {
  function: "scheduler",
  event: attributes,
  subject: { kind: "Cluster", name: "all" },
  outcome: "Done",
  decided: 0,
  done: 0,
  writes: [],
  observed: {}
}
const object = (name: string) => ({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  metadata: { name, namespace: "apps" }
})
const asFound = (name: string) => ({
  ...attributes,
  id: `NixBuild/apps/${name}/`,
  source: "enbi",
  type: "dev.knative.apiserver.resource.update",
  name
})
const headers = {
  ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value])),
  "content-type": "application/json"
}
const delivered = { ...attributes, datacontenttype: "application/json", data }
const body = JSON.stringify(data)
const pretty = (value: unknown) => JSON.stringify(value, undefined, 2)

/** As recorders of HTTP write them: pairs, in the case in which they came. */
const request = {
  headers: Object.entries(headers).map(([name, value]) => [name.replace(/^c/, "C"), value]),
  body
}

const forms: Record<string, readonly [string, ReadonlyArray<unknown>]> = {
  "a decision of the file": [JSON.stringify({ time: "2026-11-21T10:00:00Z", ...decision }), [attributes]],
  "a decision of the log": [JSON.stringify({ message: ["decided", decision], timestamp: "x" }), [attributes]],
  "the dead letter sink's log, with kubectl's prefix": [
    `[pod/dead-letter-1/dead-letter] ${JSON.stringify({ message: ["left to the next sweep", { headers, body }], timestamp: "x" })}`,
    [delivered]
  ],
  "a recorded request in binary mode": [JSON.stringify(request), [delivered]],
  "a recorded request whose body is no JSON": [
    JSON.stringify({ headers: { ...headers, "content-type": "text/plain" }, body: "hello" }),
    [{ ...attributes, datacontenttype: "text/plain", data: "hello" }]
  ],
  "a recorded request in structured mode": [
    JSON.stringify({ headers: { "Content-Type": "application/cloudevents+json" }, body: JSON.stringify(attributes) }),
    [attributes]
  ],
  "events, one a line": [
    `${JSON.stringify(attributes)}\n\nno event\n${JSON.stringify({ ...attributes, id: "2" })}`,
    [attributes, { ...attributes, id: "2" }]
  ],
  "a batch over many lines": [
    pretty([attributes, { ...attributes, id: "2" }]),
    [attributes, { ...attributes, id: "2" }]
  ],
  "events by hand, in YAML": [
    `${stringify(attributes)}---\n${stringify({ ...attributes, id: "2" })}`,
    [attributes, { ...attributes, id: "2" }]
  ],
  "kubectl get -o json, of one": [pretty(object("a")), [asFound("a")]],
  "kubectl get -o json, of many": [
    pretty({ apiVersion: "v1", kind: "List", items: [object("a"), object("b")] }),
    [asFound("a"), asFound("b")]
  ],
  "kubectl get -o yaml": [
    stringify({ apiVersion: "v1", kind: "List", items: [object("a"), object("b")] }),
    [asFound("a"), asFound("b")]
  ],
  "one event three times": [
    [attributes, decision, attributes].map((each) => JSON.stringify(each)).join("\n"),
    [attributes]
  ],
  "what is no event": [pretty({ ...attributes, specversion: "0.3" }), []],
  "no text": ["", []],
  "text that is neither": ["{ [ : never", []]
}

describe("events are found in", () => {
  for (const [what, [text, events]] of Object.entries(forms)) {
    it(what, () => assert.deepStrictEqual<ReadonlyArray<unknown>>(eventsIn(text.split("\n")), events))
  }
})
