/** Namespaces that refuse the build's Pod, and what is asked of the API server meanwhile. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Option } from "effect"
import { jobs, namespaces } from "../../lib/kubernetes/kinds.ts"
import { conditionsOf, nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  apply,
  type At,
  conditionWith,
  eventually,
  find,
  gone,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  patienceFlag,
  services,
  when
} from "./cluster.ts"
import { apiServerRequests } from "./metrics.ts"

const node = "enbi-test-worker"
const sweepMillis = 30_000

it.live("quota, limit range, a namespace that ends: said once, then quiet", () =>
  Effect.gen(function* () {
    const quota = { namespace: yield* makeNamespace("quota"), name: "build" }
    const limits = { namespace: yield* makeNamespace("limit-range"), name: "build" }
    const ending = { namespace: yield* makeNamespace("ending"), name: "build" }
    const metadata = (at: At, more: object = {}) => ({ namespace: at.namespace, name: "strict", ...more })
    const finalizers = ["enbi.hrzn.ee/test"]
    yield* apply(
      { apiVersion: "v1", kind: "ResourceQuota", metadata: metadata(quota), spec: { hard: { pods: "0" } } },
      {
        apiVersion: "v1",
        kind: "LimitRange",
        metadata: metadata(limits),
        spec: { limits: [{ type: "Container", max: { memory: "64Mi" } }] }
      },
      // This keeps its namespace on the way out.
      { apiVersion: "v1", kind: "ConfigMap", metadata: metadata(ending, { finalizers }) }
    )
    yield* Effect.gen(function* () {
      yield* kubectl(
        "wait",
        "-n",
        quota.namespace,
        "resourcequota/strict",
        "--for=jsonpath={.status.hard.pods}=0",
        patienceFlag
      )
      yield* apply(
        nixBuild(quota, { nodes: [node] }),
        nixBuild(limits, { nodes: [node], resources: { limits: { memory: "128Mi" } } }),
        // The two above hold the slots of their node while they wait.
        nixBuild(ending, { nodes: ["enbi-test-worker2"], packageName: "hang" })
      )
      assert.include((yield* conditionWith(quota, "PodRefused")).message, "exceeded quota")
      assert.include((yield* conditionWith(limits, "PodRefused")).message, "maximum memory usage per Container")
      yield* conditionWith(ending, "JobCreated")
      yield* kubectl("delete", "namespace", ending.namespace, "--wait=false")
      yield* gone(nixBuilds, ending)

      const begin = yield* Clock.currentTimeMillis
      const look = Effect.gen(function* () {
        const blocked = yield* Effect.forEach([quota, limits], (at) => find(nixBuilds, at))
        return {
          words: blocked.flatMap(Option.toArray).map(conditionsOf),
          // Of all in this cluster only job-launcher asks whether a Pod would be admitted.
          asked: yield* apiServerRequests(
            ({ dry_run, resource, verb }) => dry_run === "All" && resource === "pods" && verb === "POST"
          )
        }
      })
      const before = yield* look
      const after = yield* eventually(
        "two sweeps ask once for each build",
        Effect.map(look, (now) => when(now, now.asked >= before.asked + 4))
      )
      // There may be one before the first full interval, and one while we look.
      const sweeps = ((yield* Clock.currentTimeMillis) - begin) / sweepMillis + 2
      assert.lengthOf(before.words, 2)
      assert.deepStrictEqual(after.words, before.words, "nothing is said")
      assert.isAtMost(after.asked - before.asked, 2 * sweeps, "and nothing asks beside the sweeps")
      assert.isTrue(Option.isSome(yield* find(namespaces, { namespace: "", name: ending.namespace })))
      assert.lengthOf(yield* list(jobs, ending.namespace), 0)
    }).pipe(
      Effect.ensuring(
        Effect.forEach(
          [
            ["patch", "configmap", "strict", "-n", ending.namespace, "-p", '{"metadata":{"finalizers":null}}'],
            ["delete", "nixbuild", "-n", quota.namespace, "build"],
            ["delete", "nixbuild", "-n", limits.namespace, "build"]
          ],
          (command) => Effect.ignore(kubectl(...command))
        )
      )
    )
  }).pipe(Effect.provide(services))
)
