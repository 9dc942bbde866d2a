/** Our codec beside the SDK's (`cloudevents`): events that both can say become the same, each way. */
import { assert, describe, it } from "@effect/vitest"
import { CloudEvent, HTTP } from "cloudevents"
import { Result } from "effect"
import * as fc from "fast-check"
import { type Event, readAttributes } from "../../lib/cloudevents/event.ts"
import { encodeBinary, encodeStructured } from "../../lib/cloudevents/http.ts"
import { readEvent } from "../../lib/cloudevents/json-format.ts"
import { ours, plain, theirs, toRequest } from "./sdk.ts"

const id = fc.stringMatching(/^[a-z0-9-]{1,20}$/)
const time = fc
  .date({ min: new Date("1970-01-01T00:00:00Z"), max: new Date("2999-01-01T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString())
const extensionSets = fc.dictionary(
  fc.stringMatching(/^x[a-z0-9]{1,12}$/),
  fc.stringMatching(/^[A-Za-z0-9:/.,_-]{1,20}$/),
  { noNullPrototype: true }
)
const datas = fc.oneof(
  fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
  fc.array(fc.jsonValue(), { maxLength: 5 })
)

/** What both can say: attributes without characters to encode, a time in milliseconds, data that is an object or a list. */
const events = fc
  .record({ id, subject: id, time, extensions: extensionSets, data: datas })
  .map(({ data, extensions, ...rest }): Event => ({
    attributes: Result.getOrThrow(
      readAttributes(
        Object.entries({
          ...extensions,
          ...rest,
          specversion: "1.0",
          source: "/source",
          type: "type",
          datacontenttype: "application/json"
        })
      )
    ),
    data
  }))

const flat = ({ attributes, ...rest }: Event) => plain({ ...attributes, ...rest })
const toSdk = ({ attributes, ...rest }: Event) => new CloudEvent({ ...attributes, ...rest })

describe("events that both can say", () => {
  const holds = (check: (event: Event) => void) => fc.assert(fc.property(events, check), { numRuns: 200 })
  for (const [mode, encode] of [
    ["binary", (event: Event) => encodeBinary(event, "percent")],
    ["structured", encodeStructured]
  ] as const) {
    it(`${mode}: what we write the SDK reads`, () => {
      holds((event) => assert.deepStrictEqual(theirs(toRequest(encode(event))), flat(event)))
    })

    it(`${mode}: what the SDK writes we read`, () => {
      holds((event) => assert.deepStrictEqual(ours(toRequest(HTTP[mode](toSdk(event)))), flat(event)))
    })
  }

  it("as objects, as func gives them to handle", () => {
    holds((event) => assert.deepStrictEqual(flat(Result.getOrThrow(readEvent(toSdk(event).toJSON()))), flat(event)))
  })
})
