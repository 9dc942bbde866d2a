/** Events in both modes, where the captures have no example: as the JSON format of CloudEvents 1.0.2 says. */
import { assert, describe, it } from "@effect/vitest"
import { readEvent, toBinary, toStructured } from "./event.ts"

const attributes = '"specversion":"1.0","id":"i","source":"/s","type":"t"'

const rows: ReadonlyArray<readonly [what: string, document: string, data: string, contentType?: string]> = [
  ["a string that is JSON, since nothing else is said", `{${attributes},"data":"x"}`, '"x"'],
  [
    "a string that is JSON",
    `{${attributes},"datacontenttype":"application/x+json","data":"x"}`,
    '"x"',
    "application/x+json"
  ],
  ["a string that is text", `{${attributes},"datacontenttype":"text/plain","data":"<\\n"}`, "<\n", "text/plain"],
  ["false", `{${attributes},"data":false}`, "false"],
  ["bytes", `{${attributes},"datacontenttype":"image/x","data_base64":"/w=="}`, "\xff", "image/x"]
]

describe("data of a document", () => {
  for (const [what, document, data, contentType] of rows) {
    it(what, () => {
      const headers = [["Content-Type", "application/cloudevents+json"]] as const
      const event = readEvent({ headers, body: Buffer.from(document) })
      assert.isDefined(event)
      if (event === undefined) return
      assert.strictEqual(event.data.toString("latin1"), data)
      const binary = toBinary(event)
      assert.strictEqual(new Map(binary.headers).get("Content-Type"), contentType)
      assert.deepStrictEqual(JSON.parse(toStructured(event).body.toString("utf8")), JSON.parse(document))
      assert.deepStrictEqual(readEvent(binary), event)
    })
  }
})
