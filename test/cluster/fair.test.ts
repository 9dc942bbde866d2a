/** More builds than there are slots: none is forgotten, none overtakes, no node gets too many. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import type { ObjectMeta } from "../../lib/kubernetes/kind.ts"
import { type Pod, pods } from "../../lib/kubernetes/kinds.ts"
import { conditionsOf, type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { hasSlot, needsSlot } from "../../lib/nixbuild/slots.ts"
import { amongAll, apply, list, makeNamespace, nixBuild, services, when } from "./cluster.ts"
import { type Seen, watch } from "./watch.ts"

const count = 30
const namespaces = ["fair-one", "fair-two"]
// As embedded/deployment.yaml has it.
const maxBuildsPerNode = 2

interface Any {
  readonly metadata: ObjectMeta
}

/** What is there after each change, from the first on. */
const moments = <A extends Any>(changes: ReadonlyArray<Seen<A>>) => {
  let there = new Map<string, A>()
  return changes.map(({ object, verb }) => {
    there = new Map(there)
    if (verb === "DELETED") there.delete(object.metadata.uid)
    else there.set(object.metadata.uid, object)
    return { changed: object, there: [...there.values()] }
  })
}

const byNode = (nodes: ReadonlyArray<string | undefined>): number =>
  Math.max(0, ...Object.values(Object.groupBy(nodes, (node) => node ?? "")).map((same) => same?.length ?? 0))

const hasNode = (build: NixBuild): boolean => isTrue(conditionsOf(build), "Scheduled")
const takesSlot = (build: NixBuild): boolean => {
  const { buildNode = "" } = build.status ?? {}
  return hasSlot(build, buildNode) && needsSlot(build, buildNode)
}
// The Pod's phase follows some moments after the end of its container.
const isBuilding = ({ status }: Pod): boolean =>
  status?.containerStatuses?.some(({ name, state }) => name === "build" && state?.running !== undefined) === true

/** How many wait before a NixBuild at most, as it shows. */
const toldBefore = (build: NixBuild): number | undefined => {
  const scheduled = conditionsOf(build).find(({ reason }) => reason === "NoFreeSlot")
  const [told, most] =
    /No build is ahead of it|Up to (\d+) builds? (?:is|are) ahead of it/.exec(scheduled?.message ?? "") ?? []
  return told === undefined ? undefined : Number(most ?? 0)
}

// Whole seconds, and then what nobody can choose.
const age = ({ metadata }: NixBuild): string => `${metadata.creationTimestamp} ${metadata.uid}`

/** The NixBuilds in the order in which they got their nodes, once all had been created. */
const starts = (all: ReturnType<typeof moments<NixBuild>>): ReadonlyArray<NixBuild> => {
  const begin = all.findIndex(({ there }) => there.length === count)
  const before = new Set(all[begin]?.there.filter(hasNode).map(({ metadata }) => metadata.uid))
  return all.slice(begin).flatMap(({ changed }) => {
    if (!hasNode(changed) || before.has(changed.metadata.uid)) return []
    before.add(changed.metadata.uid)
    return [changed]
  })
}

it.live(
  `${count} NixBuilds at once: all end, in the order of their creation, and each is told how many wait before it`,
  () =>
    Effect.gen(function* () {
      for (const name of namespaces) yield* makeNamespace(name)
      const ours = <A extends Any>(changes: ReadonlyArray<Seen<A>>) =>
        moments(changes.filter(({ object }) => namespaces.includes(object.metadata.namespace ?? "")))
      const builds = yield* watch(nixBuilds)
      const builders = yield* watch(pods)
      yield* apply(
        ...Array.from({ length: count }, (_, index) =>
          nixBuild({ namespace: namespaces[index % 2] ?? "", name: `build-${index}` }, { packageName: "hello" })
        )
      )
      for (const name of namespaces) {
        yield* amongAll(`all NixBuilds of ${name} end`, { kind: nixBuilds, namespace: name }, (all) =>
          when(
            true,
            all.every((build) => isTrue(conditionsOf(build), "Complete"))
          )
        )
      }
      for (const name of namespaces) {
        const ended = yield* list(nixBuilds, name)
        assert.lengthOf(ended, count / 2)
        for (const { metadata, status } of ended) assert.strictEqual(status?.status, "Succeeded", metadata.name)
      }

      const all = ours(yield* builds)
      const running = ours(yield* builders).map(({ there }) => there.filter(isBuilding))
      const most = {
        slots: Math.max(
          ...all.map(({ there }) => byNode(there.filter(takesSlot).map(({ status }) => status?.buildNode)))
        ),
        pods: Math.max(...running.map((there) => byNode(there.map(({ spec }) => spec.nodeName))))
      }
      assert.deepStrictEqual(most, { slots: maxBuildsPerNode, pods: maxBuildsPerNode })

      // The first may have been chosen when not all were there, and written afterwards: as many as there are slots.
      const started = starts(all)
        .slice(2 * maxBuildsPerNode)
        .map(age)
      assert.isAtLeast(started.length, count / 2, "builds that waited until all were there")
      assert.deepStrictEqual(started, started.toSorted())

      const queues = all.map(({ there }) =>
        there
          .filter((build) => !hasNode(build))
          .toSorted((a, b) => (age(a) < age(b) ? -1 : 1))
          .map(toldBefore)
      )
      const isTrueOf = (told: ReadonlyArray<number | undefined>) =>
        told.every((limit, before) => limit !== undefined && before <= limit)
      const longest = Math.max(...queues.filter(isTrueOf).map((told) => told.length))
      assert.isAtLeast(longest, count / 2, "NixBuilds that at one time showed how many wait before them")
      const said = Map.groupBy(all, ({ changed }) => changed.metadata.uid)
      const sayings = [...said.values()].map(
        (changes) => new Set(changes.flatMap(({ changed }) => toldBefore(changed) ?? [])).size
      )
      // More only where an older one came after it, of the same second.
      assert.isAtMost(Math.max(...sayings), 2 + Math.log2(count), "what one NixBuild was told")
    }).pipe(Effect.provide(services))
)
