/** What we write, we read as the same event: in both modes, and with both ways of writing headers. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { type Event, readAttributes } from "../../lib/cloudevents/event.ts"
import { decodeMessage, encodeBinary, encodeStructured } from "../../lib/cloudevents/http.ts"

const texts = fc
  .string({ unit: "binary", minLength: 1 })
  .filter((text) => /^[^\p{Cc}\p{Noncharacter_Code_Point}]+$/u.test(text) && text === text.trim())

const datas = fc.oneof(
  fc.record({ datacontenttype: fc.constant("application/json"), data: fc.jsonValue({ noUnicodeString: false }) }),
  fc.record({ datacontenttype: fc.constant("text/plain"), data: texts }),
  fc.record({ datacontenttype: fc.constant("image/png"), data: fc.uint8Array({ minLength: 1 }) }),
  fc.record({ datacontenttype: fc.constant("image/png") }),
  fc.constant({})
)

const events = fc
  .record({ id: texts, type: texts, subject: texts, extension: texts, data: datas })
  .map(({ data: { data, datacontenttype }, ...attributes }: { readonly data: Partial<Data> }): Event => {
    const entries = { ...attributes, specversion: "1.0", source: "/s?a=%20#b" }
    const all = datacontenttype === undefined ? entries : { ...entries, datacontenttype }
    const made = { attributes: Result.getOrThrow(readAttributes(Object.entries(all))) }
    return data === undefined ? made : { ...made, data }
  })

interface Data {
  readonly datacontenttype: string
  readonly data: unknown
}

// JSON has no -0, and Buffers are bytes too.
const plain = (event: Event) =>
  event.data instanceof Uint8Array
    ? { ...event, data: Array.from(event.data) }
    : { ...event, data: event.data === undefined ? undefined : JSON.parse(JSON.stringify(event.data)) }

describe("what we write", () => {
  const ways = {
    binary: [(event: Event) => encodeBinary(event, "percent"), "percent"],
    "binary as Knative does": [(event: Event) => encodeBinary(event, "raw"), "raw"],
    structured: [encodeStructured, "percent"]
  } as const
  for (const [way, [encode, encoding]] of Object.entries(ways)) {
    it(`${way}: we read as the same`, () => {
      fc.assert(
        fc.property(events, (event) => {
          const read = Result.getOrThrow(decodeMessage(encode(event), encoding))
          assert.deepStrictEqual(plain(read), plain(event))
        }),
        { numRuns: 300 }
      )
    })
  }

  it("is ASCII without blanks and quotes in headers", () => {
    fc.assert(
      fc.property(events, (event) => {
        const { headers } = encodeBinary(event, "percent")
        for (const [name, value] of Object.entries(headers)) assert.match(`${name}=${value}`, /^[!#-~]*$/)
      })
    )
  })

  it("says that data is JSON when the event leaves that out", () => {
    const attributes = { specversion: "1.0", id: "1", source: "/s", type: "t" } as const
    assert.strictEqual(encodeBinary({ attributes, data: 1 }, "percent").headers["content-type"], "application/json")
    assert.notProperty(encodeBinary({ attributes }, "percent").headers, "content-type")
  })
})
