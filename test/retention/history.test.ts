/** Which finished NixBuilds are kept, also where there are thousands. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type FinishedBuild, type History, removeBuilds } from "../../functions/retention/builds/decide.ts"
import { isOurs, managedBy } from "../../lib/kubernetes/kinds.ts"
import { counted } from "../counted.ts"

interface Finish {
  readonly index: number
  readonly namespace: string
  readonly minute: number
  readonly hasFailed: boolean
  readonly isByHand: boolean
  readonly isAwaited: boolean
}

const finished = ({ hasFailed, index, isAwaited, isByHand, minute, namespace }: Finish): FinishedBuild => ({
  metadata: {
    name: `b-${index}`,
    namespace,
    uid: `uid-${String(index).padStart(5, "0")}`,
    resourceVersion: "1",
    ...(isByHand ? {} : { labels: managedBy })
  },
  hasFailed,
  completeTime: `2026-01-01T11:${String(minute).padStart(2, "0")}:00Z`,
  pending: [],
  waiting: isAwaited ? ["apps/web"] : []
})

const historyOf = (limit: number, all: ReadonlyArray<Finish>): History => ({
  time: "2026-01-01T12:00:00Z",
  successfulBuildsHistoryLimit: limit,
  failedBuildsHistoryLimit: limit + 1,
  finished: all.map(finished)
})

const histories = fc
  .tuple(
    fc.nat(3),
    fc.array(
      fc.record({
        namespace: fc.constantFrom("apps", "other"),
        minute: fc.nat(5),
        hasFailed: fc.boolean(),
        isByHand: fc.boolean(),
        isAwaited: fc.boolean()
      }),
      { maxLength: 20 }
    )
  )
  .map(([limit, all]) =>
    historyOf(
      limit,
      all.map((finish, index) => ({ ...finish, index }))
    )
  )

it("those go that a Pod asked for, that nobody waits for, and that have as many newer ones of their outcome as are kept", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const isNewer = (a: FinishedBuild, b: FinishedBuild) =>
        a.completeTime > b.completeTime || (a.completeTime === b.completeTime && a.metadata.uid > b.metadata.uid)
      const excess = history.finished.filter((build) => {
        const newer = history.finished.filter(
          (other) =>
            isOurs(other) &&
            other.hasFailed === build.hasFailed &&
            other.metadata.namespace === build.metadata.namespace &&
            isNewer(other, build)
        )
        const limit = build.hasFailed ? history.failedBuildsHistoryLimit : history.successfulBuildsHistoryLimit
        return isOurs(build) && build.waiting.length === 0 && newer.length >= limit
      })
      const removed = removeBuilds(history).map((action) => (action.action === "Delete" ? action.target.uid : ""))
      assert.deepStrictEqual(
        removed,
        excess.map(({ metadata }) => metadata.uid)
      )
    }),
    { numRuns: 500 }
  )
})

describe("ten times as many", () => {
  const readsOf = (count: number, namespaces: number) => {
    const all = Array.from({ length: count }, (_, index) => ({
      index,
      namespace: `n-${index % namespaces}`,
      minute: index % 60,
      hasFailed: false,
      isByHand: false,
      isAwaited: false
    }))
    const { reads, value } = counted(historyOf(20, all))
    assert.lengthOf(removeBuilds(value), Math.max(0, count - 20 * namespaces))
    return reads()
  }

  it("in one namespace are ten times the work", () => assert.isAtMost(readsOf(2000, 1), readsOf(200, 1) * 11))
  it("in as many more namespaces too", () => assert.isAtMost(readsOf(2000, 100), readsOf(200, 10) * 11))
})
