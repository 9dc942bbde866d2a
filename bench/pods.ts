/** From a Pod that waits to its build, and from its image to its container. */
import { Effect } from "effect"
import { nameForPods } from "../lib/nixbuild/make.ts"
import type { ObjectMeta } from "../lib/kubernetes/kind.ts"
import { jobs, type Pod, pods } from "../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { nixBuildAnnotation } from "../lib/api/annotations.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"
import { waitingContainers } from "../lib/nixbuild/waiting-pods.ts"
import { annotations, conditionWith, flakeUrl, find, makeNamespace, pod, remove } from "../test/cluster/kubectl.ts"
import { watch } from "../test/cluster/watch.ts"
import { makeChain } from "./chain.ts"
import { create, firstSeen, node, timeUntil } from "./cluster.ts"
import { quantile, type Row } from "./row.ts"

const rounds = 50
// As many of them are waited for until they run.
const running = 10
const ns = "bench-pods"

const isPod = (name: string) => (one: Pod) => one.metadata.namespace === ns && one.metadata.name === name
const isWaiting = (name: string) => (one: Pod) => isPod(name)(one) && waitingContainers(one).length > 0
const isRunning = (name: string) => (one: Pod) =>
  isPod(name)(one) && one.status?.containerStatuses?.[0]?.state?.running !== undefined
const isFor =
  (build: string, namespace: string) =>
  ({ metadata }: { readonly metadata: ObjectMeta }) =>
    metadata.namespace === namespace && metadata.annotations?.[nixBuildAnnotation] === `${ns}/${build}`
// Its Job may be gone before it says that it is complete.
const isImported = (build: string) => (one: Pod) =>
  isFor(build, systemNamespace)(one) && one.status?.containerStatuses?.[0]?.state?.terminated !== undefined

export const podRows = Effect.fn("podRows")(function* (builderImage: string) {
  yield* makeNamespace(ns)
  const sendBare = yield* makeChain(ns, builderImage)
  const podChanges = yield* watch(pods)
  const jobChanges = yield* watch(jobs)
  const created: Array<number> = []
  const createdBare: Array<number> = []
  const started: Array<number> = []
  const startedBare: Array<number> = []
  // In the first the cache volume is prepared, so it counts for nothing.
  for (let round = 0; round <= rounds; round++) {
    const name = `pod-${round}`
    const imageTag = `registry.invalid/${ns}/${name}:1`
    const wish = { flakeUrl: flakeUrl(), imageTag, packageName: "hello", system: "x86_64-linux" as const }
    const build = { namespace: ns, name: nameForPods(wish) }
    const container = { image: imageTag }
    yield* create(pods, pod({ namespace: ns, name }, { annotations: annotations(wish), container, nodeName: node }))
    const waiting = yield* firstSeen(`${name} waits`, podChanges, isWaiting(name))
    const launched = yield* firstSeen(`the build Job for ${name}`, jobChanges, isFor(build.name, ns))
    yield* conditionWith(build, "JobCreated")
    const there = yield* Effect.flatMap(find(nixBuilds, build), Effect.fromOption)
    if (round < running) {
      const imported = yield* firstSeen(`the import for ${name}`, podChanges, isImported(build.name))
      started.push((yield* firstSeen(`${name} runs`, podChanges, isRunning(name))) - imported)
      const object = pod({ namespace: ns, name: `${name}-bare` }, { container, nodeName: node })
      startedBare.push(yield* timeUntil({ kind: pods, object }, podChanges, isRunning(object.metadata.name)))
    }
    const bareName = `bare-${round}`
    const bare = yield* sendBare(there, bareName)
    if (round > 0) {
      created.push(launched - waiting)
      createdBare.push(bare)
    }
    // What is measured is measured: the slot is the next round's.
    yield* remove(nixBuilds, build)
    yield* remove(pods, { namespace: ns, name })
    yield* remove(jobs, { namespace: ns, name: bareName })
  }
  const row = (share: number, most: number): Row => ({
    what: `Pod failing → build Job, p${share * 100} of ${rounds}; the same requests one after the other`,
    unit: "ms",
    ours: [quantile(created, share)],
    bare: [quantile(createdBare, share)],
    ceiling: { of: "ratio", most }
  })
  const rows: ReadonlyArray<Row> = [
    row(0.5, 1.5),
    row(0.9, 2),
    {
      what: "import done → container runs; Pod with an image that is there → runs",
      unit: "ms",
      ours: started,
      bare: startedBare
    }
  ]
  return rows
}, Effect.scoped)
