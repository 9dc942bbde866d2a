/** The flake of `enbi image --print-flake`: what is asked for is data in it, and it makes what the builder makes. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { flakeOf, nixValue } from "../../cli/image/flake.ts"
import { questionOf } from "../../jobs/build/image.ts"
import type { ImageRequest } from "../../lib/api/image-request.ts"
import { isFields } from "../../lib/memory/objects.ts"
import { bindings, contentOf } from "../../lib/nixbuild/image-expression.ts"

// As Nix has it: strings with its escapes, lists and sets of these, numbers and truth values.
const token = /\s*(?:("(?:[^"\\$]|\\[^]|\$(?!\{))*")|(true|false|\d+)|([[\]{}=;]))/uy

/** The value that Nix reads there, and what follows it; ours has no expressions in it. */
const readNix = (text: string): readonly [value: unknown, rest: string] => {
  token.lastIndex = 0
  const [found = "", string, word, sign] = token.exec(text) ?? assert.fail(`no value: ${text.slice(0, 40)}`)
  const rest = text.slice(found.length)
  if (string !== undefined) return [unescaped(string.slice(1, -1)), rest]
  if (word !== undefined) return [JSON.parse(word), rest]
  if (sign === "[") return readList(rest)
  return sign === "{" ? readSet(rest) : assert.fail(`${sign} is no value`)
}

const unescaped = (text: string) =>
  text.replaceAll(/\r\n?/gu, "\n").replaceAll(/\\(.)/gsu, (_, letter: string) => escapes[letter] ?? letter)
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" }

const readList = (text: string): readonly [ReadonlyArray<unknown>, string] => {
  if (/^\s*\]/u.test(text)) return [[], text.replace(/^\s*\]/u, "")]
  const [first, left] = readNix(text)
  const [others, rest] = readList(left)
  return [[first, ...others], rest]
}

const readSet = (text: string): readonly [Readonly<Record<string, unknown>>, string] => {
  if (/^\s*\}/u.test(text)) return [{}, text.replace(/^\s*\}/u, "")]
  // Names without quotes are ours: the fields of the request.
  const [, name = assert.fail("no name"), behind = ""] = /^\s*("(?:[^"\\]|\\.)*"|\w+) =(.*)$/su.exec(text) ?? []
  const [value, left] = readNix(behind)
  const [others, rest] = readSet(left.replace(/^;/u, ""))
  return [{ [name.startsWith('"') ? unescaped(name.slice(1, -1)) : name]: value, ...others }, rest]
}

const hostile = fc.string({
  unit: fc.constantFrom("$", "{", "}", '"', "\\", "'", "n", "\n", "\r", "é", "${", "''", ";")
})

const after = (text: string, words: string): string => text.slice(text.indexOf(words) + words.length)

describe("the flake", () => {
  it("has all texts as data, whatever is in them", () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 3 }, hostile, fc.nat(), fc.boolean(), tie("list"), tie("set")),
      list: fc.array(tie("any"), { maxLength: 3 }),
      set: fc.dictionary(hostile, tie("any"), { maxKeys: 3, noNullPrototype: true })
    })).any
    fc.assert(fc.property(value, (one) => assert.deepStrictEqual(readNix(nixValue(one)), [one, ""])))
  })

  it("has what the builder reads of the request, and nothing else of it", () => {
    const list = fc.array(hostile, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(list, list, hostile, (contents, Cmd, packages) => {
        const request: ImageRequest = { contents, config: { Cmd }, omit: ["Tmp"], maxLayers: 7, allowUnfree: true }
        const flake = flakeOf({ request, packages, systems: ["x86_64-linux"] })
        const [url, left] = readNix(after(flake, "inputs.nixpkgs.url ="))
        assert.strictEqual(url, packages)
        const [read, rest] = readNix(after(left, "request ="))
        assert.deepStrictEqual(read, contentOf(request))
        // What is around it is the same for all requests.
        const other = flakeOf({ request: { contents: ["jq"] }, packages, systems: ["x86_64-linux"] })
        assert.isTrue(other.endsWith(rest))
      })
    )
  })

  it("makes the image as the builder does", () => {
    const request: ImageRequest = { contents: ["jq"], config: { Cmd: ["jq"] } }
    const question = questionOf(request, "x86_64-linux")
    const [, literal = assert.fail("no literal")] = /fromJSON ("(?:[^"\\]|\\.)*");/su.exec(question) ?? []
    const [text] = readNix(literal)
    const read: unknown = JSON.parse(String(text))
    assert.isTrue(isFields(read))
    assert.deepInclude(read, contentOf(request))
    const flat = (code: string) => code.replaceAll(/\s+/gu, " ")
    const flake = flat(flakeOf({ request, packages: "github:a/b", systems: ["x86_64-linux"] }))
    for (const binding of Object.values(bindings)) {
      assert.include(flat(question), flat(binding))
      assert.include(flake, flat(binding))
    }
  })
})
