/** What is worked out once is what its plain definition says, by which each is compared with all others. */
import { assert, it } from "@effect/vitest"
import fc from "fast-check"
import { makeNodes } from "../../functions/scheduler/nodes.ts"
import { makeQueues } from "../../functions/scheduler/queues.ts"
import { makeChoice } from "../../functions/scheduler/rank.ts"
import { tagClaims } from "../../functions/scheduler/tag.ts"
import { isWaitingForRetry, type NixBuild, nodeStatusOf, wantedNodes } from "../../lib/api/nixbuild.ts"
import { hash10 } from "../../lib/hash.ts"
import { obstacleOf } from "../../lib/nixbuild/placement.ts"
import { hasSlot, isHeld, isObstructed } from "../../lib/nixbuild/slots.ts"
import { fullTag, sourceIn } from "../../lib/nixbuild/tag-claim.ts"
import { type World, worlds } from "./worlds.ts"

const law = (holds: (world: World) => void) => fc.assert(fc.property(worlds, holds), { numRuns: 500 })
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

it("the best node is the favourite of its flake, then the least busy, then the first by name", () =>
  law(({ nodes, unfinished }) => {
    const choose = makeChoice()
    for (const [index, build] of unfinished.entries()) {
      const candidates = nodes.slice(index % 2)
      const free = candidates.slice(0, index)
      const load = new Map(nodes.map(({ metadata }, place) => [metadata.name, (index + place) % 3]))
      const [flake = ""] = build.spec.flakeUrl.split("?")
      const hash = (name: string) => hash10(flake, name)
      const [favourite] = candidates.toSorted((a, b) => compare(hash(a.metadata.name), hash(b.metadata.name)))
      const busy = (name: string) => load.get(name) ?? 0
      const [best] = free.toSorted(
        (a, b) =>
          Number(a !== favourite) - Number(b !== favourite) ||
          busy(a.metadata.name) - busy(b.metadata.name) ||
          compare(a.metadata.name, b.metadata.name)
      )
      assert.strictEqual(choose(free, { build, candidates, load }), best)
    }
  }))

it("the nodes that can build are those without an obstacle, in the order of all", () =>
  law((world) => {
    const nodes = makeNodes(world)
    for (const build of world.unfinished) {
      const able = world.nodes.filter(
        (node) => obstacleOf(node, { nodeRepel: [], system: build.spec.system }) === undefined
      )
      assert.deepStrictEqual(nodes.ableOf(build), able)
      const { nodes: names } = build.spec
      assert.deepStrictEqual(
        nodes.ableAmong(build, names),
        able.filter(({ metadata }) => names.includes(metadata.name))
      )
    }
  }))

it("a rival is the first before a build that has its tag and is made of something else", () =>
  law(({ succeeded, unfinished }) => {
    const claims = tagClaims({ succeeded, unfinished, leases: [] })
    const wish = ({ metadata, spec }: NixBuild) => `${metadata.namespace} ${spec.system} ${fullTag(spec.imageTag)}`
    const all = [...succeeded, ...unfinished]
    for (const build of unfinished) {
      const alike = all.filter((other) => wish(other) === wish(build))
      const rival = alike.slice(0, alike.indexOf(build)).find((other) => sourceIn(other) !== sourceIn(build))
      const message = claims.refusalOf(build)?.message
      if (rival === undefined) assert.isUndefined(message)
      else assert.include(message, `is already built by NixBuild ${rival.metadata.name} from ${sourceIn(rival)}.`)
    }
  }))

const kindOf = ({ metadata, spec }: NixBuild) => `${metadata.namespace} ${spec.sandbox}`

/** What keeps a build from trying on a node, by going through all that could not begin there. */
const blockOn = ({ delivering, time, unfinished }: World, build: NixBuild, name: string) => {
  const waiting = [...unfinished, ...delivering].flatMap((other) => {
    const node = nodeStatusOf(other, name)
    return isHeld(node) && wantedNodes(other).includes(name) ? [{ other, node }] : []
  })
  const [last] = waiting
    .filter(({ other }) => kindOf(other) === kindOf(build))
    .toSorted((a, b) => compare(b.node.retryTime ?? "~", a.node.retryTime ?? "~"))
  if (last === undefined || isWaitingForRetry(last.node, time) || isObstructed(last.node)) return last?.node
  const isTried = waiting.some(
    ({ node, other }) => node.reason === last.node.reason && other !== build && hasSlot(other, name)
  )
  return isTried ? last.node : undefined
}

it("what blocks a build on a node is what the last of its kind there could not begin for", () =>
  law((world) => {
    const held = [...world.unfinished, ...world.delivering].flatMap(({ status }) => status?.nodes ?? [])
    // What admission refuses is so on all nodes.
    if (held.some(({ reason, ...node }) => reason === "PodRefused" && isObstructed({ reason, ...node }))) return
    const { blocksOf } = makeQueues(world)
    for (const build of world.unfinished) {
      for (const { metadata } of world.nodes) {
        const own = nodeStatusOf(build, metadata.name)
        const expected =
          isWaitingForRetry(own, world.time) || isObstructed(own) ? own : blockOn(world, build, metadata.name)
        assert.strictEqual(blocksOf(build)(metadata.name), expected)
      }
    }
  }))
