import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as fc from "fast-check"
import { BuildResult, ImportResult } from "../../lib/nixbuild/job-result.ts"
import { cleanText, encodeResult, maxMessageBytes, sourceFits } from "../../lib/nixbuild/termination-message.ts"

const failed = (message: string, log: string) => ({ outcome: "Failed", reason: "BuildFailed", message, log }) as const
const decodeBuildResult = Schema.decodeUnknownEffect(Schema.fromJsonString(BuildResult))
const decodeImportResult = Schema.decodeUnknownEffect(Schema.fromJsonString(ImportResult))
const bytesOf = (text: string) => Buffer.byteLength(text)

const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 3000 }),
  fc.string({ unit: "binary", maxLength: 9000 }),
  fc
    .constantFrom('"', "\\", "\n", "é", "漢", "😀", "\u0000", "\ud800", "\u2028")
    .chain((unit) => fc.nat(9000).map((length) => unit.repeat(length)))
)

describe("encodeResult", () => {
  it("fits and can be read again, whatever the texts are", () => {
    fc.assert(
      fc.property(anyText, anyText, (message, log) => {
        const text = encodeResult(failed(message, log))
        assert.isAtMost(bytesOf(text), maxMessageBytes)
        assert.strictEqual(Effect.runSync(decodeBuildResult(text)).outcome, "Failed")
        assert.strictEqual(Effect.runSync(decodeImportResult(text)).outcome, "Failed")
      })
    )
  })

  it("uses the room: a log that is longer fills the message but for one line", () => {
    const log = Array.from({ length: 500 }, (_, n) => `line ${n} ünïcode 漢字`).join("\n")
    const text = encodeResult(failed("It failed.", log))
    assert.isAtLeast(bytesOf(text), maxMessageBytes - 40)
    const result = Effect.runSync(decodeBuildResult(text))
    const kept = result.outcome === "Failed" ? result.log.split("\n") : []
    assert.strictEqual(kept.at(-1), "line 499 ünïcode 漢字")
    assert.isTrue(log.includes(`\n${kept.join("\n")}`))
  })

  it("keeps the end of a line that does not fit by itself", () => {
    const result = Effect.runSync(decodeBuildResult(encodeResult(failed("", `${"😀".repeat(5000)}end`))))
    assert.isTrue(result.outcome === "Failed" && result.log.endsWith("😀end") && result.log.isWellFormed())
  })

  it("keeps a short result as it is", () => {
    const text = encodeResult(failed("It failed.", "one\ntwo"))
    assert.deepStrictEqual(Effect.runSync(decodeBuildResult(text)), failed("It failed.", "one\ntwo"))
  })

  it("has the whole source, however large it may be, with the paths or a sentence and some log", () => {
    const digest = `sha256:${"a".repeat(64)}`
    const paths = { drvPath: `/nix/store/${"d".repeat(250)}`, storePath: `/nix/store/${"s".repeat(250)}` }
    const source = { lockedUrl: "u".repeat(2400), lockedInputs: [{ name: "nixpkgs", url: "i".repeat(300) }] }
    assert.isTrue(sourceFits(source))
    assert.isFalse(sourceFits({ ...source, lockedUrl: "u".repeat(2600) }))
    const succeeded = {
      outcome: "Succeeded",
      ...paths,
      digest,
      builtDerivations: 1,
      fetchedPaths: 2,
      ...source
    } as const
    for (const result of [succeeded, { ...failed("é\u0001漢".repeat(900), "😀\n".repeat(2000)), ...source }]) {
      const text = encodeResult(result)
      assert.isAtMost(bytesOf(text), maxMessageBytes)
      const { lockedInputs, lockedUrl } = Effect.runSync(decodeBuildResult(text))
      assert.deepStrictEqual({ lockedInputs, lockedUrl }, source)
    }
  })
})

describe("cleanText", () => {
  const rows: ReadonlyArray<readonly [string, string, string]> = [
    ["\u001b[31;1merror:\u001b[0m no", "error: no", "colours"],
    ["\u001b]8;;http://x\u0007link\u001b]8;;\u0007", "link", "links"],
    ["10%\r20%\r\nend", "10%\n20%\nend", "carriage returns"],
    ["a\u0000b\u0007c\u0090d\te", "abcd\te", "control characters but tab"],
    ["a\u202eb", "ab", "direction marks"],
    ["a\ud800b", "a\ufffdb", "half characters"],
    ["é漢😀", "é漢😀", "other text stays"]
  ]
  for (const [text, expected, name] of rows) {
    it(name, () => assert.strictEqual(cleanText(text), expected))
  }
})
