/** Where the SDK (`cloudevents` 10.0.0) reads a request otherwise than we do: what it makes of it, and what we do. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ours, plain, type Request, theirs, toRequest } from "./sdk.ts"

describe("known differences", () => {
  const attributes = { specversion: "1.0", id: "1", source: "/s", type: "t", time: "2026-01-01T00:00:00.000Z" }
  const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]))
  const json = "application/json"
  const event = { ...attributes, datacontenttype: json }

  const binary = (more: Readonly<Record<string, string | undefined>>, body = "{}"): Request =>
    toRequest({ headers: plain({ ...headers, "content-type": json, ...more }), body })
  const structured = (more: object, contentType = "application/cloudevents+json"): Request => ({
    headers: { "content-type": contentType },
    body: JSON.stringify({ ...attributes, ...more })
  })

  interface Difference {
    readonly request: Request
    readonly sdk: unknown
    readonly ours: unknown
  }
  // What is made up can't be compared.
  const anyId = "any id"
  const anyTime = "any time"
  const differences: Record<string, Difference> = {
    "no specversion: taken for 1.0": {
      request: binary({ "ce-specversion": undefined }),
      sdk: { ...event, data: {} },
      ours: "refused"
    },
    "a version that nobody knows: taken": {
      request: binary({ "ce-specversion": "19.0" }),
      sdk: { ...event, specversion: "19.0", data: {} },
      ours: "refused"
    },
    "no time: now": {
      request: binary({ "ce-time": undefined }),
      sdk: { ...event, time: anyTime, data: {} },
      ours: { specversion: "1.0", id: "1", source: "/s", type: "t", datacontenttype: json, data: {} }
    },
    "a time that is none: now": {
      request: binary({ "ce-time": "yesterday" }),
      sdk: { ...event, time: anyTime, data: {} },
      ours: "refused"
    },
    "nanoseconds: cut off": {
      request: binary({ "ce-time": "2026-01-01T00:00:00.389228573Z" }),
      sdk: { ...event, time: "2026-01-01T00:00:00.389Z", data: {} },
      ours: { ...event, time: "2026-01-01T00:00:00.389228573Z", data: {} }
    },
    "structured without an id: made up": {
      request: structured({ id: undefined, data: {} }),
      sdk: { ...attributes, id: anyId, data: {} },
      ours: "refused"
    },
    "structured with an empty id: made up": {
      request: structured({ id: "", data: {} }),
      sdk: { ...attributes, id: anyId, data: {} },
      ours: "refused"
    },
    "JSON with a charset in other letters: a string": {
      request: binary({ "content-type": "application/json;charset=UTF-8" }),
      sdk: { ...event, datacontenttype: "application/json;charset=UTF-8", data: "{}" },
      ours: { ...event, datacontenttype: "application/json;charset=UTF-8", data: {} }
    },
    "JSON under another name: a string": {
      request: binary({ "content-type": "application/merge-patch+json" }),
      sdk: { ...event, datacontenttype: "application/merge-patch+json", data: "{}" },
      ours: { ...event, datacontenttype: "application/merge-patch+json", data: {} }
    },
    "a structured event with a charset, in the specification's own spelling: refused": {
      request: structured({ data: {} }, "application/cloudevents+json; charset=UTF-8"),
      sdk: "refused",
      ours: { ...attributes, data: {} }
    },
    "a number: a string": {
      request: binary({}, "123"),
      sdk: { ...event, data: "123" },
      ours: { ...event, data: 123 }
    },
    "null: a string": { request: binary({}, "null"), sdk: { ...event, data: "null" }, ours: { ...event, data: null } },
    "a blank before JSON: a string": {
      request: binary({}, " {}"),
      sdk: { ...event, data: " {}" },
      ours: { ...event, data: {} }
    },
    "a new line before JSON: refused": {
      request: binary({}, "\n{}"),
      sdk: "refused",
      ours: { ...event, data: {} }
    },
    "text without a type: a string": {
      request: binary({ "content-type": undefined }, "{}"),
      sdk: { ...attributes, data: "{}" },
      ours: { ...attributes, data: [123, 125] }
    },
    "no body: an empty string": { request: binary({}, ""), sdk: { ...event, data: "" }, ours: event },
    "structured 0: lost": { request: structured({ data: 0 }), sdk: attributes, ours: { ...attributes, data: 0 } },
    "structured false: lost": {
      request: structured({ data: false }),
      sdk: attributes,
      ours: { ...attributes, data: false }
    },
    "structured empty text: lost": {
      request: structured({ data: "" }),
      sdk: attributes,
      ours: { ...attributes, data: "" }
    },
    "structured null: lost": {
      request: structured({ data: null }),
      sdk: attributes,
      ours: { ...attributes, data: null }
    },
    "data beside bytes: one of them wins": {
      request: structured({ data: 1, data_base64: "AA==" }),
      sdk: { ...attributes, data: { 0: 0 }, data_base64: "AA==" },
      ours: "refused"
    },
    "a percent-encoded header: as it is": {
      request: binary({ "ce-subject": "Euro%20%E2%82%AC" }),
      sdk: { ...event, subject: "Euro%20%E2%82%AC", data: {} },
      ours: { ...event, subject: "Euro €", data: {} }
    },
    "an overlong percent-encoding: as it is": {
      request: binary({ "ce-subject": "%C0%A0" }),
      sdk: { ...event, subject: "%C0%A0", data: {} },
      ours: "refused"
    },
    "a quoted header: as it is": {
      request: binary({ "ce-subject": '"a"' }),
      sdk: { ...event, subject: '"a"', data: {} },
      ours: { ...event, subject: "a", data: {} }
    },
    "an extension that is an object: taken": {
      request: structured({ kind: {} }),
      sdk: { ...attributes, kind: {} },
      ours: "refused"
    },
    "an extension that is an integer: left a number, where binary mode has text": {
      request: structured({ num: 5 }),
      sdk: { ...attributes, num: 5 },
      ours: { ...attributes, num: "5" }
    },
    "a batch: taken": {
      request: {
        headers: { "content-type": "application/cloudevents-batch+json" },
        body: JSON.stringify([attributes, attributes])
      },
      sdk: "many",
      ours: "refused"
    }
  }
  const Fields = Schema.Record(Schema.String, Schema.Unknown)
  const masked = (read: unknown, like: unknown): unknown => {
    if (!Schema.is(Fields)(read) || !Schema.is(Fields)(like)) return read
    const { id, time } = like
    return { ...read, ...(id === anyId ? { id } : {}), ...(time === anyTime ? { time } : {}) }
  }
  for (const [what, { ours: expected, request, sdk }] of Object.entries(differences)) {
    it(what, () => {
      assert.deepStrictEqual(masked(theirs(request), sdk), sdk, "the SDK")
      assert.deepStrictEqual(ours(request), expected, "ours")
    })
  }
})
