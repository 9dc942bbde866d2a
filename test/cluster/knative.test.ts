/** The functions as processes of their own, with the source and the Broker that lose what Knative's lose. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import {
  annotations,
  apply,
  complete,
  eventually,
  isRunning,
  makeNamespace,
  nixBuild,
  noJobs,
  pod,
  services,
  when
} from "./cluster.ts"
import { knativeProcesses, setFault } from "./knative-processes.ts"
import { isWrite, sumOf } from "./metrics.ts"

const node = "enbi-test-worker"

/** What a NixBuild came to, without what differs from one to the next. */
const endOf = (build: NixBuild) => ({
  status: build.status?.status,
  conditions: conditionsOf(build)
    .map(({ reason, status, type }) => `${type} ${status} ${reason}`)
    .toSorted(),
  nodes: (build.status?.nodes ?? []).map(({ attempt, name, reason }) => ({ attempt, name, reason }))
})

it.live(
  "over HTTP alone a Pod starts, whatever the source loses the end is the same, and then nothing is written",
  () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("knative")
      const knative = yield* knativeProcesses
      let source = yield* knative.startSource

      const app = { namespace: ns, name: "app" }
      const imageTag = "registry.invalid/knative/app:1"
      const wanted = annotations({ imageTag, packageName: "hello" })
      yield* apply(pod(app, { annotations: wanted, container: { image: imageTag }, nodeName: node }))
      yield* isRunning(app)

      const make = (name: string) => apply(nixBuild({ namespace: ns, name }, { nodes: [node] }))
      const end = (name: string) => Effect.map(complete({ namespace: ns, name }), endOf)

      yield* make("whole")
      const whole = yield* end("whole")
      assert.strictEqual(whole.status, "Succeeded")

      yield* setFault(source, "PUT", "gap")
      yield* make("gap")
      yield* setFault(source, "DELETE", "gap")
      assert.deepStrictEqual(yield* end("gap"), whole)

      yield* source.kill("SIGKILL")
      yield* make("restart")
      source = yield* knative.startSource
      assert.deepStrictEqual(yield* end("restart"), whole)

      yield* source.kill("SIGKILL")
      const losing = yield* knative.startLosing
      yield* make("answered-500")
      yield* eventually(
        "an event is lost",
        Effect.map(knative.lost, (lost) => when(true, lost > 0))
      )
      yield* losing.kill("SIGKILL")
      source = yield* knative.startSource
      assert.deepStrictEqual(yield* end("answered-500"), whole)

      yield* setFault(source, "PUT", "drop")
      yield* make("only-sweeps")
      assert.deepStrictEqual(yield* end("only-sweeps"), whole)
      yield* setFault(source, "DELETE", "drop")

      const counts = (name: string, isWanted?: typeof isWrite) =>
        Effect.map(knative.samples, (all) => all.map(({ samples }) => sumOf(samples, name, isWanted)))
      yield* Effect.forEach(["whole", "gap", "restart", "answered-500", "only-sweeps"], (name) =>
        noJobs({ namespace: ns, name })
      )
      const threeSweeps = Effect.gen(function* () {
        const before = yield* counts("nixbuild_events_total")
        yield* eventually(
          "three more sweeps are done",
          Effect.map(counts("nixbuild_events_total"), (events) =>
            when(
              true,
              events.every((count, index) => count >= (before[index] ?? 0) + 3)
            )
          )
        )
      })
      // We may see that a Job is gone before whoever deleted it has counted the answer.
      yield* threeSweeps
      const writes = yield* counts("nixbuild_api_requests_total", isWrite)
      yield* threeSweeps
      assert.deepStrictEqual(yield* counts("nixbuild_api_requests_total", isWrite), writes)
    }).pipe(Effect.scoped, Effect.provide(services))
)
