/** What the pure files of the functions answer beside `decide`: to what observes, and to what carries actions out. */
import { assert, describe, it } from "@effect/vitest"
import { asksForBuilds } from "../../functions/pod-failure-detector/annotations.ts"
import { type HeldTag, isRelease, reportOf, reportsOf } from "../../functions/retention/tags/decide.ts"
import { decide } from "../../functions/scheduler/decide.ts"
import { claimsUnder } from "../../functions/scheduler/tag.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { buildOf, nodeOf, worldOf } from "../scheduler/worlds.ts"

const metadata = { name: "a", namespace: "apps", uid: "a", resourceVersion: "1" }

describe("a Pod asks for builds", () => {
  const rows = [
    [undefined, false, "it has no annotation"],
    [{ "enbi.hrzn.ee/woken": "now" }, false, "ours that asks for nothing"],
    [{ "enbi.hrzn.ee/nixbuild-flakeUrl": "github:a/b" }, true, "the Pod's"],
    [{ "app.enbi.hrzn.ee/nixbuild-packageName": "a" }, true, "a container's"]
  ] as const
  for (const [annotations, asks, why] of rows) {
    it(`${asks}: ${why}`, () => {
      const pod = { metadata: { ...metadata, ...(annotations === undefined ? {} : { annotations }) }, spec: {} }
      assert.strictEqual(asksForBuilds({ ...pod, spec: { containers: [] } }), asks)
    })
  }
})

describe("a tag is given up", () => {
  const time = "2026-01-01T12:00:00Z"
  const unusedSince = (since: string, more: Partial<HeldTag> = {}): HeldTag => ({
    lease: { metadata: { ...metadata, annotations: { "enbi.hrzn.ee/unused-since": since } } },
    idle: ["apps"],
    refused: [],
    nodes: [],
    unsureNodes: 0,
    ...more
  })
  const rows: ReadonlyArray<readonly [HeldTag, boolean, string]> = [
    [unusedSince("2026-01-01T11:50:00Z"), true, "ten minutes are over"],
    [unusedSince("2026-01-01T11:50:01Z"), false, "they are not"],
    [
      unusedSince("2026-01-01T11:00:00Z", { unsureNodes: 1 }),
      false,
      "a node reports not all, and three days are not over"
    ],
    [unusedSince("2026-01-01T11:00:00Z", { idle: [] }), false, "somebody uses it again"],
    [{ ...unusedSince(""), lease: { metadata } }, false, "it is not marked yet"],
    [unusedSince("2026-01-01T11:59:00Z", { refused: ["others"] }), true, "a namespace that joined brings nothing"]
  ]
  for (const [held, isOver, why] of rows)
    it(`${isOver}: ${why}`, () => assert.strictEqual(isRelease(held, time), isOver))
})

describe("what nodes report of images", () => {
  const having = (name: string, images?: ReadonlyArray<{ readonly names?: ReadonlyArray<string> }>) =>
    reportOf({ ...nodeOf(name), status: images === undefined ? {} : { images } })
  const manyNames = Array.from({ length: 5 }, (_, index) => `reg.io/a:${index}`)
  const reports = [
    having("nothing"),
    having("nameless", [{}]),
    having("few", [{ names: ["a:1", "reg.io/b:1"] }]),
    having("names", [{ names: manyNames }]),
    having(
      "images",
      Array.from({ length: 50 }, (_, index) => ({ names: [`reg.io/c:${index}`] }))
    )
  ]
  const of = reportsOf(reports, new Set(["docker.io/library/a:1", "reg.io/a:1"]))

  it("is cut where there are 50 images, or 5 names of one", () => {
    assert.deepStrictEqual(
      reports.filter(({ isCut }) => isCut).map(({ node }) => node),
      ["names", "images"]
    )
  })
  it("names the nodes that have a tag, also by its short name, and counts those that may", () => {
    assert.deepStrictEqual(of("docker.io/library/a:1"), { nodes: ["few"], unsureNodes: 2 })
    assert.deepStrictEqual(of("reg.io/a:1"), { nodes: ["names"], unsureNodes: 1 })
    assert.deepStrictEqual(of("reg.io/z:1"), { nodes: [], unsureNodes: 2 })
  })
})

describe("the scheduler", () => {
  it("says nothing of a build whose claim could not be written", () => {
    const world = worldOf({ unfinished: [buildOf({ index: 1 })], nodes: [nodeOf("one")] })
    const lease = { kind: "Lease", namespace: "enbi-system", name: tagLeaseName("reg.io/a-1:1") }
    assert.deepStrictEqual(decide(world).map(claimsUnder(world)), [[], [lease]])
    const another = { action: "Delete", why: "an example", target: { kind: "NixBuild", ...metadata } } as const
    assert.deepStrictEqual(claimsUnder(world)(another), [])
  })

  it("begins fifty at once, and the others with the next look", () => {
    const unfinished = Array.from({ length: 51 }, (_, index) => buildOf({ index }))
    const actions = decide(worldOf({ unfinished, nodes: [nodeOf("one")], maxBuildsPerNode: 100 }))
    assert.lengthOf(actions, 100)
  })
})
