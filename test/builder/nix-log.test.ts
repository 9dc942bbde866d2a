import { assert, describe, it } from "@effect/vitest"
import { emptyLog, followLine, tailOf } from "../../builder/nix-log.ts"

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
    assert.deepInclude(log, { expectedDerivations: 2, builtDerivations: 2, fetchedPaths: 1, tail: ["compiling"] })
    assert.deepStrictEqual(shown, [
      "these 2 derivations will be built:",
      "  /nix/store/b-app-layer.drv",
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
