/**
 * What must hold whatever becomes of the events, lost, doubled, or late, and of
 * the writes, lost or unanswered: the cluster ends in the same state, and then
 * nothing is written any more.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { type CloudEvent, matches, sweepType } from "../../lib/events.ts"
import type { EnbiFunction } from "../../lib/function.ts"
import { loadFunctions } from "../../lib/functions.ts"
import { run } from "../../lib/run.ts"
import { type Fault, makeApiServer } from "./api-server.ts"
import { makeWorld, namespace, node, waitingPod } from "./world.ts"
import { settings } from "./settings.ts"

const functions = await Effect.runPromise(
  loadFunctions(new URL("../../functions/", import.meta.url)).pipe(Effect.provide(NodeServices.layer))
)

const sweepEvent: CloudEvent = { specversion: "1.0", id: "sweep", source: "test", type: sweepType }

const listensTo = (definition: EnbiFunction<unknown>, event: CloudEvent): boolean =>
  definition.on.some((filter) => matches(filter, event))

const deliver = Effect.fnUntraced(function* (event: CloudEvent) {
  for (const definition of functions.filter((definition) => listensTo(definition, event))) {
    for (const subject of yield* definition.subjects(event)) {
      // A write that failed ends this look; a later one does the rest.
      yield* Effect.ignore(run(definition, event, subject))
    }
  }
})

/** What can become of the oldest news: a number picks which of it, the word says what happens. */
type Step = readonly ["deliver" | "drop" | "double" | "others" | "sweep" | "lost" | "unanswered", number]

const story = Effect.fnUntraced(function* (
  plan: ReadonlyArray<Step>,
  fault?: { readonly at: number; readonly as: Fault }
) {
  const api = makeApiServer()
  if (fault !== undefined) api.faults[fault.at] = fault.as
  const world = makeWorld(api)
  return yield* Effect.gen(function* () {
    for (const object of [
      namespace("apps"),
      node("one"),
      node("two"),
      waitingPod({ name: "a-1", nodeName: "one", image: "reg.io/a:1", packageName: "good" }),
      waitingPod({ name: "a-2", nodeName: "two", image: "reg.io/a:1", packageName: "good" }),
      waitingPod({ name: "b", nodeName: "one", image: "reg.io/b:1", packageName: "bad" }),
      waitingPod({ name: "c", nodeName: "two", image: "reg.io/c:1", packageName: "good" })
    ]) {
      yield* api.others.create(object)
    }
    for (const [what, pick] of plan) {
      if (what === "others") yield* world.tick
      else if (what === "lost" || what === "unanswered") api.faults.push(what)
      else if (what === "sweep") yield* deliver(sweepEvent)
      else {
        const [event] = api.news.splice(pick % Math.max(1, api.news.length), 1)
        if (event === undefined || what === "drop") continue
        yield* deliver(event)
        if (what === "double") yield* deliver(event)
      }
    }
    // From here on all events are lost but the sweep.
    let before = -1
    for (let round = 0; before !== api.attempts.length; round += 1) {
      assert.isBelow(round, 40, `it never settles: ${api.attempts.slice(-10).join(", ")}`)
      before = api.attempts.length
      yield* world.tick
      yield* TestClock.adjust("30 seconds")
      yield* deliver(sweepEvent)
    }
    // All that ever happened, once more and late.
    for (const event of api.history.slice()) yield* deliver(event)
    assert.strictEqual(
      api.attempts.length,
      before,
      `written after all was settled: ${api.attempts.slice(before).join(", ")}`
    )
    const created = api.writes.filter((write) => write.startsWith("create "))
    assert.lengthOf(created, new Set(created).size, `made twice: ${created.join(", ")}`)
    return { state: stateOf(api.objects), writes: api.writes }
  }).pipe(Effect.provide(Layer.mergeAll(api.layer, settings, TestClock.layer(), Logger.layer([]))))
})

/** What users and operators see at the end. Which of two nodes built first is not part of it. */
const stateOf = (objects: ReturnType<typeof makeApiServer>["objects"]): ReadonlyArray<string> =>
  [...objects.values()].map((object) => summaryOf(object)).toSorted()

const Summary = Schema.Struct({
  spec: Schema.optionalKey(Schema.Struct({ nodes: Schema.optionalKey(Schema.Array(Schema.String)) })),
  reason: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(
    Schema.Struct({
      phase: Schema.optionalKey(Schema.String),
      status: Schema.optionalKey(Schema.String),
      failure: Schema.optionalKey(Schema.Struct({ reason: Schema.String })),
      nodes: Schema.optionalKey(
        Schema.Array(
          Schema.Struct({ name: Schema.String, reason: Schema.String, importedTime: Schema.optionalKey(Schema.String) })
        )
      )
    })
  )
})

const summaryOf = (object: { readonly kind: string; readonly metadata: { readonly name: string } }): string => {
  const { reason = "", spec, status } = Schema.decodeUnknownSync(Summary)(object)
  const nodes = (status?.nodes ?? []).map((node) => `${node.name}:${node.reason}`).toSorted()
  const wanted = (spec?.nodes ?? []).toSorted()
  const words = [reason, status?.phase, status?.status, status?.failure?.reason, ...wanted, ...nodes]
  return [object.kind, object.metadata.name, ...words.filter((word) => word !== undefined && word !== "")].join(" ")
}

const step = fc.tuple(
  fc.constantFrom("deliver", "deliver", "drop", "double", "others", "sweep", "lost", "unanswered"),
  fc.nat(20)
)
const plans: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(step, { maxLength: 60 })

// `npm run unit` has 30 s for everything.
const runs = 100

it.effect("every Pod that can start starts, every failure is told, with no event but the sweep", () =>
  Effect.gen(function* () {
    const { state } = yield* story([])
    const of = (kind: string) => state.filter((line) => line.startsWith(`${kind} `))
    assert.deepStrictEqual(
      of("NixBuild")
        .map((line) => line.split(" ").slice(2).join(" "))
        .toSorted(),
      [
        "Failed BuildFailed one one:BuildFailed",
        "Succeeded one two one:ImagePulled two:ImagePulled",
        "Succeeded two two:ImagePulled"
      ]
    )
    assert.deepStrictEqual(
      of("Pod").filter((line) => !line.includes("-build-")),
      ["Pod a-1 Running", "Pod a-2 Running", "Pod b Pending", "Pod c Running"]
    )
    assert.lengthOf(
      of("Event").filter((line) => line.startsWith("Event b.") && line.endsWith("BuildFailed")),
      1
    )
    // Only the failed build's Job is kept.
    assert.lengthOf(of("Job"), 1)
  })
)

it.effect(
  "whatever becomes of events and writes: the same end, then zero writes",
  () =>
    Effect.gen(function* () {
      const { state } = yield* story([])
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(plans, (plan) =>
            Effect.runPromise(
              story(plan).pipe(
                Effect.tap((end) => Effect.sync(() => assert.deepStrictEqual(end.state, state))),
                Effect.asVoid
              )
            )
          ),
          { numRuns: runs }
        )
      )
    }),
  60_000
)

it.effect("each write of the whole story, lost or not answered: the same end", () =>
  Effect.gen(function* () {
    const { state, writes } = yield* story([])
    assert.isAbove(writes.length, 30)
    for (const at of writes.keys()) {
      for (const as of ["lost", "unanswered"] as const) {
        const end = yield* story([], { at, as })
        assert.deepStrictEqual(end.state, state, `${writes[at]} was ${as}`)
      }
    }
  })
)
