/** What is asked about many objects: the API server's answer to the selector is that of the cache's index. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { makeStore } from "../../lib/runtime/store.ts"
import type { Identified } from "../../lib/kubernetes/kind.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"
import {
  eventsRegarding,
  jobsOf,
  podsIn,
  podsOf,
  podsOfJobsOf,
  podsPendingIn,
  podsWaiting,
  podsWaitingIn,
  podsWaitingInAnyPhase,
  podsWaitingOn
} from "../../lib/nixbuild/object-questions.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { buildsIn, openBuilds, openBuildsIn } from "../../lib/nixbuild/questions.ts"
import { all, type Question } from "../../lib/kubernetes/question.ts"
import { decodeAs, live } from "../../lib/kubernetes/cluster.ts"
import { makeApiServer } from "./api-server.ts"
import { nixBuild, waitingPod } from "./given.ts"

const pod = (
  name: string,
  at: { readonly namespace?: string; readonly nodeName?: string; readonly phase?: string }
) => {
  const { metadata, spec, status } = waitingPod({
    name,
    nodeName: at.nodeName ?? "one",
    namespace: at.namespace ?? "apps",
    image: "reg.io/a:1",
    packageName: "good"
  })
  return { apiVersion: "v1", kind: "Pod", metadata, spec, status: { ...status, phase: at.phase ?? "Pending" } }
}

const ofJob = (name: string, labels: Readonly<Record<string, string>>) => {
  const { metadata, ...rest } = pod(name, { phase: "Running" })
  return { ...rest, metadata: { ...metadata, labels }, status: { phase: "Running" } }
}

const build = (name: string, namespace: string, status: object) => ({
  ...nixBuild({ name, namespace, nodes: [], image: `reg.io/${name}:1`, packageName: "good" }),
  status
})

const told = { observedGeneration: 1, conditions: [], status: "Pending" }
const complete = {
  type: "Complete",
  status: "True",
  reason: "BuildFinished",
  message: "",
  observedGeneration: 1,
  lastTransitionTime: "2026-01-01T00:00:00Z"
}

const objects = [
  pod("a", {}),
  pod("b", { nodeName: "two" }),
  pod("c", { namespace: "other" }),
  pod("lost", { phase: "Running" }),
  { ...pod("runs", { phase: "Running" }), status: { phase: "Running" } },
  ofJob("builds", { "batch.kubernetes.io/controller-uid": "job", "enbi.hrzn.ee/nixbuild-uid": "build" }),
  ofJob("imports", { "batch.kubernetes.io/controller-uid": "another", "enbi.hrzn.ee/nixbuild-uid": "build" }),
  build("new", "apps", told),
  build("over", "apps", { ...told, status: "Succeeded", settled: true, conditions: [complete] }),
  build("elsewhere", "other", told)
]

const job = { metadata: { name: "job", namespace: "apps", uid: "job", resourceVersion: "1" } }

const found: ReadonlyArray<readonly [string, Question, ReadonlyArray<string>]> = [
  ["Pods of a Job", podsOf(job), ["builds"]],
  ["Pods of a NixBuild's Jobs", podsOfJobsOf({ uid: "build" }), ["builds", "imports"]],
  ["Pods that wait on a node, in whichever phase", podsWaitingOn("one"), ["a", "c", "lost"]],
  ["Pods that wait in a namespace", podsWaitingIn("apps"), ["a", "b"]],
  ["Pods that wait", podsWaiting(), ["a", "b", "c"]],
  ["Pods that wait, in whichever phase", podsWaitingInAnyPhase(), ["a", "b", "c", "lost"]],
  ["Pending Pods of a namespace", podsPendingIn("other"), ["c"]],
  ["Pods of a namespace", podsIn("other"), ["c"]],
  ["NixBuilds of a namespace", buildsIn("apps"), ["new", "over"]],
  ["open NixBuilds", openBuilds(), ["elsewhere", "new"]],
  ["open NixBuilds of a namespace", openBuildsIn("apps"), ["new"]],
  ["Jobs of a NixBuild", jobsOf({ uid: "build" }), []],
  ["Events about an object", eventsRegarding({ namespace: "apps", uid: "pod" }), []]
]

// A Pod that has run and lost its image: its own events lead to it.
const beyondSelector = ["lost"]
const inexact: ReadonlyArray<string> = ["Pods that wait in a namespace", "Pods that wait"]

const names = (answer: ReadonlyArray<Identified>) => answer.map(({ metadata }) => metadata.name).toSorted()

it.effect("each by one selective list, and the same by an index", () =>
  Effect.gen(function* () {
    const api = makeApiServer()
    for (const object of objects) yield* api.objects.create(object)
    const cluster = live(api.connect(() => Stream.never))
    for (const [what, question, expected] of found) {
      const { length } = api.requests
      assert.deepStrictEqual(names(yield* cluster.list(question)), expected, what)
      assert.deepStrictEqual(names(yield* cluster.listFresh(question)), expected, what)
      assert.lengthOf(api.requests, length + 2, what)
      const store = makeStore(question.kind)
      const kept = [...api.objects.objects.values()].filter(({ kind }) => kind === question.kind.kind)
      for (const object of kept) store.put(yield* decodeAs(question.kind)(object))
      const more = inexact.includes(what) ? beyondSelector : []
      assert.deepStrictEqual(names(store.list(question)), [...expected, ...more].toSorted(), what)
    }
  }).pipe(Effect.provide(Logger.layer([])))
)

it.effect("the API server in memory selects as the real one", () =>
  Effect.gen(function* () {
    const api = makeApiServer()
    for (const object of objects) yield* api.objects.create(object)
    const cluster = live(api.connect(() => Stream.never))
    const select = (...fields: ReadonlyArray<string>) => cluster.list({ ...all(nixBuilds), selector: { fields } })
    assert.deepStrictEqual(names(yield* select("status.settled=true")), ["over"])
    // What is absent is the empty string.
    assert.deepStrictEqual(names(yield* select("status.settled=")), ["elsewhere", "new"])
    assert.deepStrictEqual(names(yield* select("status.settled!=true", "metadata.namespace!=apps")), ["elsewhere"])
    const refused = yield* Effect.flip(select("status.status=Pending"))
    assert.deepStrictEqual([refused.status, refused.reason], [400, "BadRequest"])
    const ofPods = cluster.list({ ...all(pods), selector: { fields: ["status.phase=Running", "spec.nodeName=one"] } })
    assert.deepStrictEqual(names(yield* ofPods), ["builds", "imports", "lost", "runs"])
  }).pipe(Effect.provide(Logger.layer([])))
)
