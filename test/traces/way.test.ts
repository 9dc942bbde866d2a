/** One trace for a Pod's way from its failure to its running container, whoever tells of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { nixBuild, node, namespace, onePod, onePodInVain, waitingPod } from "../memory/given.ts"
import { makeCollector, type Received, tracesTo } from "./collector.ts"
import { traceparent, walk } from "./way.ts"

const phasesOf = (spans: ReadonlyArray<Received>) =>
  spans.filter(({ isDecision }) => !isDecision).toSorted((a, b) => a.from - b.from || a.to - b.to)

const namesOf = (spans: ReadonlyArray<Received>) => phasesOf(spans).map(({ name }) => name)

const idsOf = (spans: ReadonlyArray<Received>) =>
  phasesOf(spans).map(({ failed, from, name, parent, span, to, trace }) => ({
    failed,
    from,
    name,
    parent,
    span,
    to,
    trace
  }))

/** What a collector gets of it when every function is a process of its own. */
const walkAlone = (given: typeof onePod | typeof onePodInVain, restarts = false) =>
  Effect.gen(function* () {
    const { spans, url } = yield* makeCollector()
    yield* walk({ given, restarts, tracesOf: (name) => tracesTo(url, name) })
    return spans
  })

describe("the trace of a Pod that waits", () => {
  it.effect("is one, with the phases in order and none twice", () =>
    Effect.gen(function* () {
      const spans = yield* walkAlone(onePod)
      assert.strictEqual(new Set(spans.map(({ trace }) => trace)).size, 1)
      const phases = phasesOf(spans).filter(({ name }) => name !== "nixbuild")
      assert.deepStrictEqual(namesOf(phases), ["pod-waits", "queue", "prepare", "build", "import", "pod-starts"])
      const backwards = phases.filter(({ from, to }, index) => from > to || to > (phases[index + 1]?.to ?? to))
      assert.deepStrictEqual(backwards, [])
      const [root] = spans.filter(({ parent }) => parent === undefined)
      assert.strictEqual(root?.name, "nixbuild")
      assert.deepStrictEqual([...new Set(spans.map(({ parent }) => parent))].toSorted(), [root?.span, undefined])
      const [podName, started] = [phases[0]?.attributes["k8s.pod.name"], phases.at(-1)?.attributes]
      assert.deepStrictEqual([podName, started?.["k8s.pod.name"], started?.["k8s.node.name"]], ["a", "a", "one"])
      assert.deepStrictEqual(
        spans.filter(({ failed }) => failed !== undefined),
        []
      )
    })
  )

  it.effect("has each decision, with a link to the trace of its event", () =>
    Effect.gen(function* () {
      const spans = yield* walkAlone(onePod)
      const decisions = spans.filter(({ isDecision }) => isDecision)
      const [, traceId = "", spanId = ""] = traceparent.split("-")
      for (const { attributes, links, name, service } of decisions) {
        assert.deepStrictEqual(links, [{ traceId, spanId }])
        assert.deepStrictEqual([attributes["enbi.function"], attributes["enbi.outcome"], service], [name, "Done", name])
      }
      assert.includeMembers(
        decisions.map(({ name }) => name),
        ["pod-failure-detector", "scheduler", "job-launcher", "importer-status"]
      )
    })
  )

  it.effect("is the same from one process, from five, and from processes that are started anew each time", () =>
    Effect.gen(function* () {
      const { spans, url } = yield* makeCollector()
      yield* Effect.gen(function* () {
        const shared = yield* Layer.build(tracesTo(url))
        yield* walk({ given: onePod, tracesOf: () => Layer.succeedContext(shared) })
      }).pipe(Effect.scoped)
      const [five, anew] = [yield* walkAlone(onePod), yield* walkAlone(onePod, true)]
      assert.lengthOf(idsOf(spans), 7)
      assert.deepStrictEqual(idsOf(five), idsOf(spans))
      // A process that just began does not know that another has seen the Pod run.
      const once = new Map(idsOf(anew).map((phase) => [phase.span, phase]))
      assert.deepStrictEqual([...once.values()], idsOf(spans))
      assert.deepStrictEqual(
        namesOf(anew).filter((name) => name !== "pod-starts"),
        namesOf(spans).filter((name) => name !== "pod-starts")
      )
    })
  )

  it.effect("of a build that fails says so, and why, and ends there", () =>
    Effect.gen(function* () {
      const phases = phasesOf(yield* walkAlone(onePodInVain))
      assert.deepStrictEqual(
        phases.filter(({ failed }) => failed !== undefined).map(({ failed, name }) => [name, failed]),
        [
          ["nixbuild", "BuildFailed"],
          ["build", "BuildFailed"]
        ]
      )
      const names = ["build", "nixbuild", "pod-waits", "prepare", "queue"]
      assert.deepStrictEqual(namesOf(phases).toSorted(), names)
      // The Pod is told of the failure later, by a process that did not see it wait.
      assert.deepStrictEqual(namesOf(yield* walkAlone(onePodInVain, true)).toSorted(), names)
    })
  )

  it.effect("lacks the Pod's start when nobody is told of it for five minutes, as after a restart", () =>
    Effect.gen(function* () {
      const { spans, url } = yield* makeCollector()
      yield* walk({ given: onePod, lateSeconds: 300, tracesOf: (name) => tracesTo(url, name) })
      assert.deepStrictEqual(
        namesOf(spans).filter((name) => name === "pod-starts"),
        []
      )
    })
  )

  it.effect("has a build, an import and a Pod for each node; a NixBuild by hand has a trace of its own", () =>
    Effect.gen(function* () {
      const { spans, url } = yield* makeCollector()
      const pod = (name: string, nodeName: string) =>
        waitingPod({ name, nodeName, image: "reg.io/a:1", packageName: "good" })
      const byHand = nixBuild({ name: "c", nodes: ["two"], image: "reg.io/c:1", packageName: "good" })
      const given = [namespace("apps"), node("one"), node("two"), pod("a", "one"), pod("b", "two"), byHand]
      yield* walk({ given, tracesOf: (name) => tracesTo(url, name) })
      const namesIn = (build: (name: unknown) => boolean) =>
        namesOf(spans.filter(({ attributes }) => build(attributes["enbi.nixbuild.name"]))).toSorted()
      assert.strictEqual(new Set(spans.map(({ trace }) => trace)).size, 2)
      assert.deepStrictEqual(
        namesIn((name) => name === "c"),
        ["build", "import", "nixbuild", "prepare", "queue"]
      )
      assert.deepStrictEqual(
        namesIn((name) => name !== "c"),
        "build build import import nixbuild pod-starts pod-starts pod-waits pod-waits prepare queue".split(" ")
      )
    })
  )

  it.effect("costs nothing when no endpoint is set: no request, to the API server neither", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* makeCollector()
      const without = yield* walk({ given: onePod, tracesOf: () => tracesTo(undefined) })
      assert.deepStrictEqual(requests, [])
      const empty = yield* walk({ given: onePod, tracesOf: () => tracesTo("") })
      const traced = yield* walk({ given: onePod, tracesOf: (name) => tracesTo(url, name) })
      assert.deepStrictEqual(empty.requests, without.requests)
      assert.deepStrictEqual(new Set(requests), new Set(["POST /v1/traces"]))
      assert.deepStrictEqual(traced.objects, without.objects)
      assert.isAbove(traced.requests.length, without.requests.length)
    })
  )
})
