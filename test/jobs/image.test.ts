/** What a list of packages asks of Nix, and what is said of its answers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { imageIn, questionOf } from "../../jobs/build/image.ts"
import { nearest } from "../../jobs/build/nearest.ts"
import { configOf, namesIn } from "../../lib/nixbuild/image-expression.ts"

const system = "x86_64-linux"

describe("namesIn", () => {
  for (const [path, names] of [
    ["jq", ["jq"]],
    ["python3Packages.requests", ["python3Packages", "requests"]],
    ['nodePackages."@angular/cli"', ["nodePackages", "@angular/cli"]],
    ['a."b.c".d', ["a", "b.c", "d"]]
  ] as const) {
    it(path, () => assert.deepStrictEqual(namesIn(path), names))
  }
})

/** The text that Nix reads a literal as: its three escapes, and nothing else is one. */
const readLiteral = (literal: string): string => {
  assert.notMatch(literal, /(?<!\\)(?:\\\\)*\$\{/u, "nothing is spliced in")
  return literal.replaceAll(/\\(.)/gsu, "$1")
}

describe("questionOf", () => {
  it("gives Nix the request as one literal, whatever is in it", () => {
    const text = fc.string({ unit: fc.constantFrom("$", "{", "}", '"', "\\", "'", "n", "\n", "é", "${") })
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), text, (contents, User) => {
        const question = questionOf({ contents, config: { User } }, system)
        const [, literal = assert.fail("no literal")] = /fromJSON "((?:[^"\\]|\\.)*)";\n/su.exec(question) ?? []
        const read: unknown = JSON.parse(readLiteral(literal))
        assert.deepInclude(read, { system, maxLayers: 100, allowUnfree: false })
        assert.nestedPropertyVal(read, "config.User", User)
        // What is around it is the same for all requests.
        assert.strictEqual(
          question.replace(literal, ""),
          questionOf({ contents: ["jq"] }, system).replace(/fromJSON "(?:[^"\\]|\\.)*"/su, 'fromJSON ""')
        )
      })
    )
  })

  it("is the same for the same packages, in whatever order and however often they are named", () => {
    assert.strictEqual(
      questionOf({ contents: ["jq", "curl", "jq"] }, system),
      questionOf({ contents: ["curl", "jq"] }, system)
    )
  })
})

describe("configOf", () => {
  it("says where programs and authorities are", () =>
    assert.deepStrictEqual(configOf({ contents: ["jq"] }), {
      Env: ["SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt", "PATH=/bin:/usr/bin"]
    }))
  it("lets what is asked for win, and keeps the rest of it", () =>
    assert.deepStrictEqual(configOf({ contents: ["jq"], config: { Env: ["PATH=/opt", "A=b"], Cmd: ["jq"] } }), {
      Env: ["SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt", "PATH=/opt", "A=b"],
      Cmd: ["jq"]
    }))
  it("leaves out what is left out", () =>
    assert.deepStrictEqual(configOf({ contents: ["jq"], omit: ["Path", "CACertificates"] }), {}))
})

describe("nearest", () => {
  const names = ["_7zz", "jq", "curl", "curlie", "neovim", "ShellCheck", "shellcheck-minimal"]
  for (const [name, near] of [
    ["7zz", ["_7zz"]],
    ["crul", ["curl"]],
    ["shellcheck", ["ShellCheck"]],
    ["kubernetes", []]
  ] as const) {
    it(name, () => assert.deepStrictEqual(nearest(name, names), near))
  }
})

describe("imageIn", () => {
  const drvPath = "/nix/store/65ipkdw5cbalik5jqjxpbgmvsjhqc5ac-stream-image.drv"
  it.effect("is the derivation that Nix names", () =>
    Effect.gen(function* () {
      const found = yield* imageIn(system, JSON.stringify({ drvPath, outputs: ["out"], meant: ["out"] }))
      assert.deepStrictEqual(found, { drvPath, output: "out" })
    })
  )

  for (const [what, answer, says] of [
    [
      "all that is missing is named, with what is near",
      {
        missing: [
          { path: ["curll"], left: ["curll"] },
          { path: ["python3Packages", "request"], left: ["request"] },
          { path: ["a", "b c"], left: ["b c"] },
          { path: ["jqq"], left: ["jqq"] },
          { path: ["shellcheck"], left: ["shellcheck"], meant: ["ShellCheck", "shellCheck"] }
        ],
        levels: [
          { path: [], names: ["curl", "jq"] },
          { path: ["python3Packages"], names: ["requests"] }
        ]
      },
      'The package set has no curll (nearest: curl); no python3Packages.request (nearest: python3Packages.requests); no a."b c"; no jqq (nearest: jq); not one shellcheck, but ShellCheck, shellCheck in legacyPackages.x86_64-linux. Correct the contents.'
    ],
    [
      "what is no package says what it is",
      {
        others: [
          { path: ["lib"], type: "set" },
          { path: ["callPackage"], type: "lambda" }
        ]
      },
      "lib (a set) and callPackage (a function) in legacyPackages.x86_64-linux are no packages. Correct the contents."
    ],
    [
      "what alone is no package says what it is",
      { others: [{ path: ["nothing"], type: "null" }] },
      "nothing (null) in legacyPackages.x86_64-linux is no package. Correct the contents."
    ],
    [
      "a set that can make no images says so",
      { lacks: "dockerTools.streamLayeredImage" },
      "The package set cannot make images: it has no dockerTools.streamLayeredImage in legacyPackages.x86_64-linux."
    ]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(imageIn(system, JSON.stringify(answer)))
        assert.deepInclude(failure, { reason: "AttributeMissing", message: says })
      })
    )
  }
})
