/** Which output of which derivation spec.packageName means. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { attributeOf, chosenOf } from "../../jobs/build/package.ts"

const system = "x86_64-linux"
const drvPath = "/nix/store/00000000000000000000000000000000-app.drv"
const answer = (outputs: ReadonlyArray<string>, meant: ReadonlyArray<string> = []) =>
  JSON.stringify({ drvPath, outputs, meant })

describe("chosenOf", () => {
  for (const { chosen, given, packageName, why } of [
    { why: "nothing is said", packageName: "app", given: answer(["out"]), chosen: "out" },
    { why: "out is one of several", packageName: "app", given: answer(["bin", "out"]), chosen: "out" },
    {
      why: "the value says which",
      packageName: "app.image",
      given: answer(["out", "image"], ["image"]),
      chosen: "image"
    },
    { why: "only out is installed", packageName: "app", given: answer(["out", "doc"], ["out"]), chosen: "out" },
    {
      why: "several are installed, as nixpkgs has it",
      packageName: "app",
      given: answer(["out", "man"], ["out", "man"]),
      chosen: "out"
    },
    {
      why: "^ wins over what the value says",
      packageName: "app^doc",
      given: answer(["image", "doc"], ["image"]),
      chosen: "doc"
    },
    { why: "the only one has another name", packageName: "app", given: answer(["image"]), chosen: "image" }
  ]) {
    it.effect(`${why}: ${packageName} is ${chosen}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* chosenOf({ packageName, system }, given), { drvPath, output: chosen })
      })
    )
  }

  for (const { given, packageName, says, why } of [
    {
      why: "there is no such output",
      packageName: "app^image",
      given: answer(["out", "doc"]),
      says: /^packages\.x86_64-linux\.app has no output image\. Its outputs are out, doc: /u
    },
    {
      why: "the value means one that is not there",
      packageName: "app",
      given: answer(["out"], ["bin"]),
      says: /no output bin\. Its output is out: /u
    },
    {
      why: "none is named out",
      packageName: "app",
      given: answer(["image", "doc"]),
      says: /none is called "out"\. Its outputs are image, doc; choose .*app\^image/u
    },
    { why: "it is text", packageName: "app", given: `{"found":"string"}`, says: /is not a derivation, but a string/u },
    {
      why: "its path is none",
      packageName: "app",
      given: `{"drvPath":"/etc/passwd","outputs":["out"],"meant":[]}`,
      says: /is not a derivation/u
    },
    {
      why: "its outputs are no list",
      packageName: "app",
      given: `{"drvPath":"${drvPath}","outputs":"out","meant":[]}`,
      says: /is not a derivation/u
    }
  ]) {
    it.effect(`${why}: AttributeMissing`, () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(chosenOf({ packageName, system }, given))
        assert.strictEqual(failure.reason, "AttributeMissing")
        assert.match(failure.message, says)
        assert.include(failure.message, "spec.packageName")
      })
    )
  }
})

it("what stands behind ^ is no part of the attribute", () => {
  assert.strictEqual(attributeOf({ packageName: "a.b^out", system }), "packages.x86_64-linux.a.b")
  assert.strictEqual(attributeOf({ packageName: "a.b", system }), "packages.x86_64-linux.a.b")
})
