/** Requests as Knative Eventing 1.22 sent them, over the wire: `knative.jsonl`. Headers are UTF-8 there. */
import { Schema } from "effect"
import { readFileSync } from "node:fs"

const Captured = Schema.Struct({
  what: Schema.String,
  headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
  body: Schema.optionalKey(Schema.String),
  bodyBase64: Schema.optionalKey(Schema.Uint8ArrayFromBase64)
})

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Captured))

/** The names of headers as Node gives them, their values as characters; `bytes` of the body. */
export const captured = readFileSync(new URL("knative.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => {
    const { body = "", bodyBase64, headers, what } = decode(line)
    return {
      what,
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
      bytes: bodyBase64 ?? Buffer.from(body)
    }
  })
