/**
 * The Triggers ask for nothing that Brokers read differently, and no event goes
 * round for ever: what a function answers with comes back to the Broker, and
 * only the one in memory counts how often (255 times).
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option, Schema } from "effect"
import { readTriggers } from "../../embedded/dispatcher.ts"
import { jobs, nodes } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, type EventFilter, sweep } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { makeTriggers } from "../../generate/triggers.ts"
import { functions } from "./alone.ts"

/** Whether an event with these attributes is sent to whoever asks for those of the filter. */
const isSent = (event: EventFilter, filter: EventFilter): boolean =>
  Object.entries(filter).every(([key, value]) => event[key] === value)

/** The functions that an answer leads back to themselves, by way of others too. */
const goingRound = (all: ReadonlyArray<EnbiFunction<unknown>>): ReadonlyArray<string> => {
  const triggers = makeTriggers(all)
  const nextOf = (name: string) =>
    all
      .filter((definition) => definition.name === name)
      .flatMap(({ replies = [] }) => replies)
      .flatMap((reply) => triggers.filter(({ spec }) => isSent(reply, spec.filter.attributes)))
      .map(({ spec }) => spec.subscriber.ref.name)
  const reachedFrom = (names: ReadonlyArray<string>, seen: ReadonlySet<string>): ReadonlySet<string> => {
    const next = names.flatMap(nextOf).filter((name) => !seen.has(name))
    return next.length === 0 ? seen : reachedFrom(next, new Set([...seen, ...next]))
  }
  return all.map(({ name }) => name).filter((name) => reachedFrom([name], new Set()).has(name))
}

const fake = (name: string, on: EventFilter, reply: EventFilter): EnbiFunction<unknown> => ({
  name,
  on: [on, sweep],
  replies: [reply],
  permissions: [],
  mapEvent: () => Effect.succeed([]),
  observe: () => Effect.succeed(Option.none()),
  Observed: Schema.Unknown,
  decide: () => []
})

const announced = { type: "ee.hrzn.enbi.nixbuild.scheduled" }

describe("Triggers", () => {
  it.effect("ask for exact values of what every event has: the kind of an object, or a type", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const triggers = yield* readTriggers(yield* files.readFileString("eventing/triggers.yaml"))
      for (const { metadata, spec } of triggers) {
        const attributes = Object.entries(spec.filter.attributes)
        assert.lengthOf(attributes, 1, metadata.name)
        for (const [key, value] of attributes) {
          assert.include(["kind", "type"], key, metadata.name)
          assert.isNotEmpty(value, metadata.name)
        }
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

describe("answers", () => {
  it("no function's answer leads back to it", () => assert.deepStrictEqual(goingRound(functions), []))

  it("what is announced about a NixBuild goes to none of the functions, unless it says its kind", () => {
    const filters = makeTriggers(functions).map(({ spec }) => spec.filter.attributes)
    assert.isFalse(filters.some((filter) => isSent({ ...announced, subject: "apps/a", name: "a" }, filter)))
  })

  it("one that does is found, also where it goes by way of another function", () => {
    assert.deepStrictEqual(goingRound([fake("a", changed(nixBuilds), { ...announced, kind: "NixBuild" })]), ["a"])
    assert.deepStrictEqual(goingRound([fake("a", changed(nixBuilds), sweep)]), ["a"])
    assert.deepStrictEqual(
      goingRound([
        fake("a", changed(nixBuilds), announced),
        fake("b", announced, changed(jobs)),
        fake("c", changed(jobs), changed(nixBuilds)),
        fake("d", changed(nodes), announced)
      ]),
      ["a", "b", "c"]
    )
    assert.deepStrictEqual(goingRound([fake("a", changed(nixBuilds), announced)]), [])
  })
})
