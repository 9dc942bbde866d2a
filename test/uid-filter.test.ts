/** What a build Job is told of the NixBuilds of its namespace, however many there are. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { createHash } from "node:crypto"
import { makeBuildJob } from "../functions/job-launcher/build-job.ts"
import { filterPattern, readFilter, writeFilter } from "../lib/nixbuild/uid-filter.ts"
import { settings } from "./memory/given.ts"
import { buildOf } from "./scheduler/worlds.ts"

/** As random as Kubernetes' are, and the same in every run. */
const uid = (kind: string, index: number): string =>
  createHash("sha256")
    .update(`${kind} ${index}`)
    .digest("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/u, "$1-$2-$3-$4-$5")

const uids = (kind: string, count: number) => Array.from({ length: count }, (_, index) => uid(kind, index))

it("has every uid that was put in", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.array(fc.uuid(), { maxLength: 200 }), (of, live) => {
      const text = writeFilter({ of, uids: live })
      assert.match(text, filterPattern)
      const has = readFilter(text, of)
      assert.deepStrictEqual(
        live.filter((one) => !has(one)),
        []
      )
    })
  )
})

it("a text that is no filter has nobody in it", () => {
  for (const text of ["", ":", "7:", "0:AAAA", "77:AAAA", "7:?", uids("live", 2).join(" ")]) {
    assert.isFalse(readFilter(text, uid("of", 0))(uid("live", 0)), text)
  }
})

describe.each([
  { count: 1, mistakes: 0.02, times: 2 },
  { count: 20, mistakes: 0.02, times: 3 },
  { count: 3_000, mistakes: 0.02, times: 3 },
  { count: 6_500, mistakes: 0.02, times: 3 },
  { count: 30_000, mistakes: 0.4, times: 12 }
])("$count NixBuilds in a namespace", ({ count, mistakes, times }) => {
  const live = uids("live", count)
  const gone = uids("gone", 1000)
  const filterFor = (build: number) => {
    const of = uid("of", build)
    return readFilter(writeFilter({ of, uids: [of, ...live] }), of)
  }

  it("the Job stays small", () => {
    const build = buildOf({ index: 0 })
    const liveFilter = writeFilter({ of: build.metadata.uid, uids: live })
    const job = makeBuildJob({ build, node: "one", settings, liveFilter, liveTime: "2026-01-01T12:00:00Z" })
    assert.isBelow(JSON.stringify(job).length, 16_384)
    assert.isAtMost(Buffer.from(liveFilter.slice(2), "base64").length, 8192)
  })

  it("few that are gone are taken for there", () => {
    assert.isAtMost(gone.filter(filterFor(0)).length / gone.length, mistakes)
  })

  it("and those not by the next builds, so that all of it goes", () => {
    const filters = Array.from({ length: times }, (_, build) => filterFor(build))
    const left = filters.reduce((rest, has) => rest.filter(has), gone)
    assert.deepStrictEqual(left, [])
  })
})
