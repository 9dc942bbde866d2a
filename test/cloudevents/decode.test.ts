/** What of an HTTP request is a CloudEvent, and what is not: binary and structured mode. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Encoding } from "../../lib/cloudevents/header-value.ts"
import { decodeMessage } from "../../lib/cloudevents/http.ts"

type Body = string | Uint8Array
type Headers = Readonly<Record<string, string>>

const minimal = { specversion: "1.0", id: "1", source: "/s", type: "t" } as const
const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" }
const structured = { "content-type": "application/cloudevents+json" }
const json = { "content-type": "application/json" }

const decode = (headers: Headers, body: Body, encoding: Encoding = "percent") =>
  decodeMessage({ headers, body: typeof body === "string" ? Buffer.from(body) : body }, encoding)

const bytes = (...all: ReadonlyArray<number>) => Uint8Array.from(all)

describe("binary mode", () => {
  const taken: Record<string, readonly [headers: Headers, body: Body, attributes: Headers, data?: unknown]> = {
    "the least there can be": [{}, "", {}],
    JSON: [json, '{"a":1}', { datacontenttype: "application/json" }, { a: 1 }],
    "a charset, with and without a blank": [
      { "content-type": "Application/JSON;charset=UTF-8" },
      "[]",
      { datacontenttype: "Application/JSON;charset=UTF-8" },
      []
    ],
    "JSON under another name": [
      { "content-type": "application/merge-patch+json" },
      "false",
      { datacontenttype: "application/merge-patch+json" },
      false
    ],
    "JSON that is null, which is data": [json, "null", { datacontenttype: "application/json" }, null],
    "JSON with white space around it": [json, " \n1 ", { datacontenttype: "application/json" }, 1],
    "a byte order mark, which RFC 8259 lets a reader skip": [
      json,
      "\u{feff}0",
      { datacontenttype: "application/json" },
      0
    ],
    "no body, whatever its type would be": [json, "", { datacontenttype: "application/json" }],
    text: [{ "content-type": "text/plain" }, "{", { datacontenttype: "text/plain" }, "{"],
    "text that is not UTF-8, as bytes": [
      { "content-type": "text/plain; charset=latin1" },
      bytes(0xe4),
      { datacontenttype: "text/plain; charset=latin1" },
      bytes(0xe4)
    ],
    "anything else, as bytes": [
      { "content-type": "application/xml" },
      "<a/>",
      { datacontenttype: "application/xml" },
      new Uint8Array(Buffer.from("<a/>"))
    ],
    "an event inside, which is data like any other": [
      json,
      JSON.stringify(minimal),
      { datacontenttype: "application/json" },
      minimal
    ],
    "every attribute": [
      {
        ...json,
        "ce-subject": "x",
        "ce-time": "2026-11-21T09:23:02.389228573Z",
        "ce-dataschema": "https://example.org/s"
      },
      "",
      {
        datacontenttype: "application/json",
        subject: "x",
        time: "2026-11-21T09:23:02.389228573Z",
        dataschema: "https://example.org/s"
      }
    ],
    "extensions, empty ones too": [{ "ce-kind": "Pod", "ce-namespace": "" }, "", { kind: "Pod", namespace: "" }],
    "percent-encoded, in lower case too": [
      { "ce-subject": "Euro%20%e2%82%AC%20%F0%9F%98%80%25" },
      "",
      { subject: "Euro € 😀%" }
    ],
    "encoded twice, which is decoded once": [{ "ce-subject": "%2541" }, "", { subject: "%41" }],
    "quoted, as versions before 1.0.1 could": [
      { "ce-subject": String.raw`"a \"b\" \\ %41"` },
      "",
      { subject: String.raw`a "b" \ A` }
    ],
    "a blank, as versions before 1.0.1 could": [{ "ce-subject": "a b" }, "", { subject: "a b" }],
    "a leap day, in small letters and with an offset": [
      { "ce-time": "2024-02-29t23:59:60+05:30" },
      "",
      { time: "2024-02-29t23:59:60+05:30" }
    ],
    "headers that are none of its own": [{ "kn-namespace": "x", prefer: "reply" }, "", {}]
  }
  for (const [what, [headers, body, attributes, ...data]] of Object.entries(taken)) {
    it(`takes ${what}`, () => {
      const expected = { attributes: { ...minimal, ...attributes }, ...(data.length === 0 ? {} : { data: data[0] }) }
      const event = Result.getOrThrow(decode({ ...binary, ...headers }, body))
      assert.deepStrictEqual(
        event.data instanceof Uint8Array ? { ...event, data: new Uint8Array(event.data) } : event,
        expected
      )
    })
  }

  const refused: Record<string, readonly [headers: Headers, body: Body, message: RegExp]> = {
    "another version": [{ "ce-specversion": "0.3" }, "", /specversion/],
    "a version to come": [{ "ce-specversion": "2.0" }, "", /specversion/],
    "an empty id": [{ "ce-id": "" }, "", /empty.*"id"/],
    "an empty subject": [{ "ce-subject": "" }, "", /empty.*"subject"/],
    "a source with a blank": [{ "ce-source": "a b" }, "", /URI-reference.*"source"/],
    "a source with half an escape": [{ "ce-source": "/%254" }, "", /URI-reference.*"source"/],
    "a schema that is relative": [{ "ce-dataschema": "/s" }, "", /absolute URI.*"dataschema"/],
    "a time that is none": [{ "ce-time": "yesterday" }, "", /RFC 3339.*"time"/],
    "a time without an offset": [{ "ce-time": "2026-11-21T09:23:02" }, "", /RFC 3339/],
    "a day that is not in the calendar": [{ "ce-time": "2026-02-29T09:23:02Z" }, "", /RFC 3339/],
    "a leap day in a century's last year": [{ "ce-time": "2100-02-29T09:23:02Z" }, "", /RFC 3339/],
    "an hour too many": [{ "ce-time": "2026-11-21T24:00:00Z" }, "", /RFC 3339/],
    "a media type that is none": [{ "content-type": "json" }, "{}", /media type/],
    "its media type as an attribute, which other readers would follow": [
      { "ce-datacontenttype": "text/plain" },
      "",
      /Content-Type/
    ],
    "data as an attribute": [{ "ce-data": "x" }, "", /name/],
    "a name with a dash": [{ "ce-foo-bar": "x" }, "", /name/],
    "a name that is an object's prototype": [{ "ce-__proto__": "x" }, "", /name/],
    "characters that ought to be encoded": [{ "ce-subject": "\u{e4}" }, "", /not percent-encoded/],
    "an overlong form of NUL": [{ "ce-subject": "%C0%80" }, "", /wrong way/],
    "a percent sign that means itself": [{ "ce-subject": "100%" }, "", /wrong way/],
    "a control character": [{ "ce-subject": "%00" }, "", /not allowed.*"subject"/],
    "half of a pair of surrogates": [{ "ce-subject": "%ED%A0%80" }, "", /wrong way/],
    "a code point that is no character": [{ "ce-subject": "%EF%BF%BF" }, "", /not allowed/],
    "JSON that is none": [json, "{", /not JSON/],
    "JSON in another charset": [json, bytes(0x22, 0xe4, 0x22), /not UTF-8/],
    "text that says UTF-8 and is not": [{ "content-type": "text/plain" }, bytes(0xe4), /not UTF-8/],
    "a compressed body": [{ ...json, "content-encoding": "gzip" }, bytes(0x1f, 0x8b), /compressed/]
  }
  for (const [what, [headers, body, message]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      const error = Result.getOrThrow(Result.flip(decode({ ...binary, ...headers }, body)))
      assert.match(error.message, message)
    })
  }

  for (const missing of ["specversion", "id", "source", "type"]) {
    it(`refuses what has no ${missing}`, () => {
      const headers = Object.fromEntries(Object.entries(binary).filter(([name]) => name !== `ce-${missing}`))
      assert.match(Result.getOrThrow(Result.flip(decode(headers, ""))).message, new RegExp(`Missing.*"${missing}"`))
    })
  }

  it("says what is wrong but not what was sent, which may be a secret", () => {
    for (const headers of [{ "ce-time": "xyzzy" }, { "ce-source": "xyz zy" }, { "ce-xyzzy-x": "xyzzy" }]) {
      assert.notMatch(Result.getOrThrow(Result.flip(decode({ ...binary, ...headers }, ""))).message, /xyz/)
    }
  })

  it("reads headers of peers that do not encode as they are", () => {
    const headers = { ...binary, "ce-subject": 'a%20"b"', "ce-umlaut": Buffer.from("ä😀").toString("latin1") }
    const { attributes } = Result.getOrThrow(decode(headers, "", "raw"))
    assert.deepStrictEqual(attributes, { ...minimal, subject: 'a%20"b"', umlaut: "ä😀" })
    assert.isTrue(Result.isFailure(decode({ ...binary, "ce-subject": "\u{e4}" }, "", "raw")))
  })
})

describe("structured mode", () => {
  const taken: Record<string, readonly [more: string, attributes: Headers, data?: unknown]> = {
    "the least there can be": ["", {}],
    "any JSON": ['"data":{"a":[]}', {}, { a: [] }],
    "data that is 0": ['"data":0', {}, 0],
    "data that is false": ['"data":false', {}, false],
    "data that is empty": ['"data":""', {}, ""],
    "data that is null, which is data": ['"data":null', {}, null],
    text: ['"datacontenttype":"text/plain","data":"x"', { datacontenttype: "text/plain" }, "x"],
    bytes: ['"datacontenttype":"a/b","data_base64":"AP8="', { datacontenttype: "a/b" }, bytes(0, 255)],
    "no bytes at all": ['"data_base64":""', {}, bytes()],
    "attributes that are null, which are absent": ['"subject":null,"kind":null,"data_base64":null', {}],
    "booleans and integers, as headers would have them": [
      '"flag":true,"num":-2147483648',
      { flag: "true", num: "-2147483648" }
    ]
  }
  const textOf = (more: string) => JSON.stringify(minimal).replace(/\}$/, more === "" ? "}" : `,${more}}`)
  for (const [what, [more, attributes, ...data]] of Object.entries(taken)) {
    it(`takes ${what}`, () => {
      assert.deepStrictEqual(Result.getOrThrow(decode(structured, textOf(more))), {
        attributes: { ...minimal, ...attributes },
        ...(data.length === 0 ? {} : { data: data[0] })
      })
    })
  }

  const contentTypes: Record<string, boolean> = {
    "application/cloudevents+json": true,
    "application/cloudevents+json; charset=UTF-8": true,
    "Application/CloudEvents+JSON;charset=utf-8": true,
    "application/cloudevents+json; charset=latin1": false,
    "application/cloudevents+xml": false,
    "application/cloudevents": false,
    "application/cloudevents-batch+json": false,
    "application/json": false
  }
  for (const [contentType, isTaken] of Object.entries(contentTypes)) {
    it(`${isTaken ? "takes" : "refuses"} ${contentType}`, () => {
      assert.strictEqual(Result.isSuccess(decode({ "content-type": contentType }, textOf(""))), isTaken)
    })
  }

  it("goes by Content-Type, whatever the headers say", () => {
    const { attributes } = Result.getOrThrow(decode({ ...structured, ...binary, "ce-id": "other" }, textOf("")))
    assert.strictEqual(attributes.id, "1")
  })

  const refused: Record<string, readonly [body: Body, message: RegExp]> = {
    nothing: ["", /not JSON/],
    "what is cut off": ['{"specversion"', /not JSON/],
    "a list": ["[]", /not a JSON object/],
    null: ["null", /not a JSON object/],
    "what is not UTF-8": [bytes(0x22, 0xff, 0x22), /not UTF-8/],
    "another version": [textOf("").replace("1.0", "0.3"), /specversion/],
    "an id that is a number, since whoever compares ids compares text": [textOf("").replace('"1"', "1"), /"id"/],
    "an id that is null": [textOf("").replace('"1"', "null"), /Missing.*"id"/],
    "an empty id": [textOf("").replace('"1"', '""'), /empty.*"id"/],
    "an id that comes twice": [textOf('"id":"2"'), /twice/],
    "data and bytes": [textOf('"data":1,"data_base64":"AA=="'), /both/],
    "bytes that are none": [textOf('"data_base64":"?"'), /Base64/],
    "bytes that are a number": [textOf('"data_base64":1'), /Base64/],
    "JSON that is said to be text": [textOf('"datacontenttype":"text/plain","data":1'), /datacontenttype/],
    "a name in upper case": [textOf('"Kind":"x"'), /name/],
    "an extension that is an object": [textOf('"kind":{}'), /"kind"/],
    "an extension that is a fraction": [textOf('"kind":1.5'), /"kind"/],
    "an extension that is too large for an integer": [textOf('"kind":2147483648'), /"kind"/],
    "a prototype": [textOf('"__proto__":{"type":"x"}'), /name/]
  }
  for (const [what, [body, message]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      assert.match(Result.getOrThrow(Result.flip(decode(structured, body))).message, message)
    })
  }

  it("leaves prototypes alone, those of the data too", () => {
    const { data } = Result.getOrThrow(decode(structured, textOf('"data":{"__proto__":{"polluted":1}}')))
    assert.deepStrictEqual(Object.keys(data ?? {}), ["__proto__"])
    assert.isUndefined(Object.getOwnPropertyDescriptor(Object.prototype, "polluted"))
    assert.notProperty({}, "polluted")
  })
})
