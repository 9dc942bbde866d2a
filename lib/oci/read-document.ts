/**
 * Reads the documents of an image as containerd reads them. What it could not
 * read later is refused here, with the field and what to write there.
 */
import { Effect, Result, Schema } from "effect"
import type { Document } from "./documents.ts"
import { type Json, parseFirst, parseJson } from "./go-json.ts"
import { type Misfit, readAs } from "./go-types.ts"
import { forbiddenContent, notAnImage } from "./image-error.ts"

// What people write there instead of the right thing, most often because the field beside it is written so.
const advice: Readonly<Record<string, string>> = {
  ExposedPorts: 'write {"8080/tcp": {}}',
  Volumes: 'write {"/data": {}}',
  Labels: 'write {"name": "text"}',
  Env: 'write ["NAME=value"]',
  Entrypoint: 'write ["/bin/program", "argument"]',
  Cmd: 'write ["/bin/program", "argument"]',
  User: 'write "1000" or "name", in quotes',
  WorkingDir: 'write "/folder"',
  StopSignal: 'write "SIGTERM", in quotes',
  ArgsEscaped: "leave it out",
  created: 'write "1970-01-01T00:00:01Z", or leave it out',
  history: "leave it out",
  diff_ids: 'write ["sha256:…"], one for each layer',
  Layers: 'write ["layer.tar"]',
  RepoTags: 'write ["name:tag"]',
  architecture: 'write "amd64" or what else the image is for'
}

/** Reads the whole of `bytes`; `name` is what a person calls the document. */
export const readDocument = Effect.fnUntraced(function* <A>(name: string, bytes: Uint8Array, document: Document<A>) {
  const parsed = parseJson(textOf(bytes))
  if (Result.isFailure(parsed)) return yield* noJson(name, parsed.failure)
  return yield* decode(name, parsed.success, document)
})

/** Reads the first JSON value in `bytes`: containerd looks at nothing behind it. */
export const readFirst = Effect.fnUntraced(function* <A>(name: string, bytes: Uint8Array, document: Document<A>) {
  const parsed = parseFirst(textOf(bytes))
  if (Result.isFailure(parsed)) return yield* noJson(name, parsed.failure)
  return yield* decode(name, parsed.success.value, document)
})

// A byte order mark is no white space to Go.
const textOf = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

const noJson = (name: string, problem: string) =>
  notAnImage(`${name} is not valid at this place of an image: ${problem}.`)

const decode = Effect.fnUntraced(function* <A>(name: string, json: Json, { schema, type }: Document<A>) {
  const value = readAs(type, json)
  if (Result.isFailure(value)) return yield* misfit(name, value.failure)
  return yield* Effect.orDie(Schema.decodeUnknownEffect(schema)(value.success))
})

const misfit = (name: string, { field, problem, twice }: Misfit) => {
  if (twice) return forbiddenContent(`${name}: ${field} ${problem}, and programs disagree on which one to use.`)
  const names = field.split(/[.[]/u)
  const hint = names.map((one) => advice[one]).find((found) => found !== undefined)
  const what = field === "" ? "it" : field
  return notAnImage(
    `${name} is not valid at this place of an image: ${what} ${problem}${hint === undefined ? "" : `: ${hint}`}.`
  )
}
