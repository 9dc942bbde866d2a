/** What Knative sends is read as it was meant: raw headers, empty extensions, no media type. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeMessage } from "../../lib/cloudevents/http.ts"
import { captured } from "./captured.ts"

const latin1 = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Buffer.from(value, "utf8").toString("latin1")])
  )

describe("from Knative", () => {
  for (const { bytes, headers, what } of captured.filter((one) => !one.what.includes("json"))) {
    it(what, () => {
      const { attributes, data } = Result.getOrThrow(decodeMessage({ headers: latin1(headers), body: bytes }, "raw"))
      const { "content-type": datacontenttype, ...others } = headers
      const expected = Object.entries(others).flatMap(([name, value]) =>
        name.startsWith("ce-") ? [[name.slice(3), value] as const] : []
      )
      const text = Buffer.from(bytes).toString()
      const type = datacontenttype === undefined ? {} : { datacontenttype }
      assert.deepStrictEqual({ ...attributes }, { ...attributes, ...Object.fromEntries(expected), ...type })
      assert.lengthOf(Object.keys(attributes), expected.length + Object.keys(type).length)
      if (datacontenttype === "application/json") assert.deepStrictEqual(data, JSON.parse(text))
      else if (datacontenttype === "text/plain") assert.strictEqual(data, text)
      else assert.deepStrictEqual(data, text === "" ? undefined : bytes)
    })
  }

  it("Trigger with delivery.format json", () => {
    const { bytes, headers = {} } = captured.find(({ what }) => what.includes("json")) ?? { bytes: new Uint8Array() }
    const { data, ...attributes } = JSON.parse(Buffer.from(bytes).toString())
    assert.deepStrictEqual(Result.getOrThrow(decodeMessage({ headers, body: bytes }, "raw")), { attributes, data })
  })
})
