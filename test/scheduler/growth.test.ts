/** Ten times as many builds or nodes are ten times the work, or a little more: counted in what is read of the world. */
import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../functions/scheduler/decide.ts"
import { counted } from "../counted.ts"
import { buildOf, conditionOf, nodeOf, type World, worldOf } from "./worlds.ts"

const readsOf = (world: World): number => {
  const { reads, value } = counted(world)
  assert.isNotEmpty(decide(value))
  return reads()
}

const range = (length: number) => Array.from({ length }, (_, index) => index)
const nodesOf = (count: number) => range(count).map((index) => nodeOf(`node-${index}`))
const names = (count: number) => range(count).map((index) => `node-${index}`)

const heldOn = (name: string, index: number) => ({
  conditions: [],
  nodes: [
    {
      name,
      attempt: 2,
      reason: "PodUnschedulable" as const,
      message: "full",
      retryTime: `2026-01-01T11:0${index % 10}:00Z`,
      waits: 1
    }
  ]
})

interface Case {
  readonly when: string
  readonly of: (count: number) => Partial<World>
}

const cases: ReadonlyArray<Case> = [
  {
    when: "builds that any of a few nodes may do",
    of: (count) => ({ unfinished: range(count).map((index) => buildOf({ index })) })
  },
  {
    when: "builds of different flakes",
    of: (count) => ({
      unfinished: range(count).map((index) => buildOf({ index, spec: { flakeUrl: `github:a/${index}` } })),
      maxBuildsPerNode: count
    })
  },
  {
    when: "builds under one tag",
    of: (count) => ({ unfinished: range(count).map((index) => buildOf({ index, spec: { imageTag: "reg.io/a:1" } })) })
  },
  {
    when: "builds under a tag of another namespace that has many",
    of: (count) => ({
      unfinished: range(count).map((index) =>
        buildOf({ index, namespace: index % 2 === 0 ? "apps" : "other", spec: { imageTag: "reg.io/a:1" } })
      )
    })
  },
  {
    when: "builds that could not begin on one node",
    of: (count) => ({
      unfinished: range(count).map((index) =>
        buildOf({ index, spec: { nodes: ["node-0"] }, status: heldOn("node-0", index) })
      )
    })
  },
  {
    when: "builds that have a node",
    of: (count) => ({
      unfinished: [
        ...range(count).map((index) =>
          buildOf({
            index,
            status: {
              buildNode: "node-2",
              scheduledNodes: ["node-2"],
              conditions: [conditionOf("Scheduled", "True", "NodeFound")]
            }
          })
        ),
        buildOf({ index: count })
      ]
    })
  },
  {
    when: "builds that no node can do",
    of: (count) => ({ unfinished: range(count).map((index) => buildOf({ index, spec: { system: "aarch64-linux" } })) })
  }
]

describe("builds", () => {
  for (const { of, when } of cases) {
    it(when, () => {
      const [few, many] = [50, 500].map((count) => readsOf(worldOf({ nodes: nodesOf(3), ...of(count) })))
      assert.isAtMost(many ?? Infinity, (few ?? 0) * 11)
    })
  }
})

describe("nodes", () => {
  it("one of them builds", () => {
    const [few, many] = [50, 500].map((count) =>
      readsOf(worldOf({ nodes: nodesOf(count), unfinished: [buildOf({ index: 0 })] }))
    )
    assert.isAtMost(many ?? Infinity, (few ?? 0) * 11)
  })

  it("all of them want one image", () => {
    const [few, many] = [50, 500].map((count) =>
      readsOf(worldOf({ nodes: nodesOf(count), unfinished: [buildOf({ index: 0, spec: { nodes: names(count) } })] }))
    )
    assert.isAtMost(many ?? Infinity, (few ?? 0) * 11)
  })
})

it("many at once begin in several looks, the oldest first", () => {
  const unfinished = range(120).map((index) => buildOf({ index }))
  const world = worldOf({ unfinished, nodes: nodesOf(120) })
  const begun = (of: World) =>
    decide(of).flatMap((action) =>
      action.action === "PatchStatus" && JSON.stringify(action.status).includes('"NodeFound"')
        ? [action.target.name]
        : []
    )
  const first = begun(world)
  assert.deepStrictEqual(
    first,
    unfinished.slice(0, 50).map(({ metadata }) => metadata.name)
  )
  // What it wrote leads to the next look.
  assert.deepStrictEqual(
    begun({ ...world, unfinished: unfinished.slice(50) }),
    unfinished.slice(50, 100).map(({ metadata }) => metadata.name)
  )
})
