import { assert, describe, it } from "@effect/vitest"
import { cutLines, emptyLog, followLine, followLines, nextLog, tailOf } from "../../jobs/build/nix-log.ts"

const line = (message: object) => `@nix ${JSON.stringify(message)}`
const follow = (lines: ReadonlyArray<string>) => {
  let log = emptyLog
  const shown: Array<string> = []
  for (const each of lines) {
    const [next, more] = followLine(log, each)
    log = next
    shown.push(...more)
  }
  return { log, shown }
}

// Recorded from Nix 2.34.8, ids shortened: one path fetched, two derivations built.
const recorded = [
  line({ action: "start", id: 1, level: 6, parent: 0, text: "querying info about missing paths", type: 0 }),
  line({ action: "stop", id: 1 }),
  line({ action: "msg", level: 3, msg: "these 2 derivations will be built:" }),
  line({ action: "msg", level: 3, msg: "  /nix/store/b-app-layer.drv" }),
  line({ action: "msg", level: 3, msg: "this path will be fetched (0.1 KiB download, 0.1 KiB unpacked):" }),
  line({ action: "msg", level: 3, msg: "  /nix/store/b-base-layer" }),
  line({ action: "start", id: 2, level: 0, parent: 0, text: "", type: 102 }),
  line({ action: "start", id: 3, level: 0, parent: 0, text: "", type: 104 }),
  line({ action: "result", fields: [0, 1, 0, 0], id: 3, type: 105 }),
  line({
    action: "start",
    fields: ["/nix/store/b-base-layer", "http://c"],
    id: 4,
    level: 3,
    parent: 0,
    text: "",
    type: 108
  }),
  line({
    action: "start",
    fields: ["/nix/store/b-base-layer", "http://c", "local"],
    id: 5,
    level: 3,
    parent: 4,
    text: "copying path",
    type: 100
  }),
  line({
    action: "start",
    fields: ["/nix/store/b-app-layer.drv", "", 1, 1],
    id: 6,
    level: 3,
    parent: 0,
    text: "building 'app'",
    type: 105
  }),
  line({ action: "result", fields: ["\u001b[1mcompiling\u001b[0m"], id: 6, type: 101 }),
  line({ action: "stop", id: 6 }),
  line({
    action: "start",
    fields: ["/nix/store/h-two-layer.tar.drv", "", 1, 1],
    id: 7,
    level: 3,
    parent: 0,
    text: "building 'two'",
    type: 105
  })
]

describe("followLine", () => {
  it("counts builds and fetched paths, shows progress and the builds' own lines", () => {
    const { log, shown } = follow(recorded)
    assert.deepInclude(log, {
      expectedDerivations: 2,
      builtDerivations: 2,
      expectedPaths: 1,
      fetchedPaths: 1,
      tail: ["compiling"]
    })
    assert.deepStrictEqual(shown, [
      "these 2 derivations will be built:",
      "  /nix/store/b-app-layer.drv",
      "this path will be fetched (0.1 KiB download, 0.1 KiB unpacked):",
      "  /nix/store/b-base-layer",
      "fetching 1 of 1: /nix/store/b-base-layer",
      "1 of 2: building 'app'",
      "compiling",
      "2 of 2: building 'two'"
    ])
  })

  it("takes lines that are no JSON of Nix's as the log's", () => {
    const { log, shown } = follow(["fatal: repository not found", "@nix {broken", "@nix 1"])
    assert.deepStrictEqual(shown, ["fatal: repository not found"])
    assert.strictEqual(tailOf(log), "fatal: repository not found")
  })

  it("keeps the last 40 lines and cuts endless ones", () => {
    const { log } = follow([...Array.from({ length: 100 }, (_, n) => `line ${n}`), "x".repeat(100_000)])
    assert.lengthOf(log.tail, 40)
    assert.strictEqual(log.tail.at(-2), "line 99")
    assert.isAtMost(log.tail.at(-1)?.length ?? 0, 4000)
  })
})

describe("followLines", () => {
  const many = Array.from({ length: 20_000 }, (_, n) =>
    line({ action: "result", fields: [`${n} `.padEnd(1000, "x")], id: 1, type: 101 })
  )

  it("shows 9 MiB, says that it stops there, and still follows the end", () => {
    const [log, shown] = followLines(emptyLog, many)
    const bytes = Buffer.byteLength(shown.join("\n"))
    assert.isAbove(bytes, 8 * 2 ** 20)
    assert.isBelow(bytes, 9 * 2 ** 20)
    assert.match(shown.at(-1) ?? "", /^The log exceeds 9 MiB/)
    assert.match(log.tail.at(-1) ?? "", /^19999 /)
  })

  it("shows nothing of the next command either, and says so only once", () => {
    const [log] = followLines(emptyLog, many)
    const [next, shown] = followLines(nextLog(log), many.slice(0, 3))
    assert.lengthOf(shown, 0)
    assert.lengthOf(next.tail, 3)
  })

  it("keeps the first errors and the last of Nix's own, and none that a builder sends", () => {
    const error = (number: number) => line({ action: "msg", level: 0, msg: `error: ${number}`, raw_msg: `${number}` })
    const forged = line({ action: "msg", level: 0, msg: "error: forged" })
    const [log] = followLines(emptyLog, [forged, ...Array.from({ length: 1000 }, (_, n) => error(n)), forged])
    assert.isAtMost(log.errors.length, 20)
    assert.strictEqual(log.errors[0]?.raw, "0")
    assert.strictEqual(log.errors.at(-1)?.raw, "999")
    assert.deepStrictEqual(log.tail, ["error: forged", "error: forged"])
  })
})

describe("cutLines", () => {
  it("gives whole lines, however the text is cut", () => {
    const text = "one\ntwo\n\nthree"
    for (let at = 0; at <= text.length; at++) {
      const [rest, first] = cutLines("", text.slice(0, at))
      const [last, second] = cutLines(rest, text.slice(at))
      assert.deepStrictEqual([...first, ...second, last], ["one", "two", "", "three"])
    }
  })

  it("keeps the beginning of a line without end, of which the log then has a word", () => {
    let rest = ""
    for (let n = 0; n < 100; n++) [rest] = cutLines(rest, n === 0 ? "@nix {" : "x".repeat(64 * 1024))
    assert.lengthOf(rest, 256 * 1024)
    const [, [whole = ""]] = cutLines(rest, "\n")
    assert.deepStrictEqual(followLine(emptyLog, whole)[1], ["(a line of more than 256 KiB)"])
  })
})
