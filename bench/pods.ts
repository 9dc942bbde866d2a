/** From a Pod that waits to its build, and from its image to its container. */
import { Effect } from "effect"
import { nixBuildName } from "../functions/pod-failure-detector/nixbuild.ts"
import { isSucceeded, type Job, jobs, managedBy, type Pod, pods } from "../lib/api/kubernetes.ts"
import { nixBuildAnnotation } from "../lib/keys.ts"
import { systemNamespace } from "../lib/names.ts"
import { waitingContainers } from "../lib/waiting.ts"
import { annotations, flakeUrl, kubectl, namespace, pod } from "../test/cluster/kubectl.ts"
import { watch } from "../test/cluster/watch.ts"
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
const isFor = (build: string, namespace: string) => (one: Job) =>
  one.metadata.namespace === namespace && one.metadata.annotations?.[nixBuildAnnotation] === `${ns}/${build}`

/** The smallest write there is to compare with: one Job that never runs. */
const suspendedJob = (name: string, image: string) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { namespace: ns, name, labels: managedBy },
  spec: { suspend: true, template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image }] } } }
})

export const podRows = Effect.fn("podRows")(function* (builderImage: string) {
  yield* namespace(ns)
  const podChanges = yield* watch(pods)
  const jobChanges = yield* watch(jobs)
  const created: Array<number> = []
  const createdBare: Array<number> = []
  const started: Array<number> = []
  const startedBare: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    const name = `pod-${round}`
    const imageTag = `registry.invalid/${ns}/${name}:1`
    const wish = { flakeUrl: flakeUrl(), imageTag, packageName: "hello", system: "x86_64-linux" as const }
    const build = nixBuildName(wish)
    const container = { image: imageTag }
    yield* create(pods, pod({ namespace: ns, name }, { annotations: annotations(wish), container, nodeName: node }))
    const waiting = yield* firstSeen(`${name} waits`, podChanges, isWaiting(name))
    created.push((yield* firstSeen(`the build Job for ${name}`, jobChanges, isFor(build, ns))) - waiting)
    if (round < running) {
      const imported = yield* firstSeen(
        `the import for ${name}`,
        jobChanges,
        (one) => isFor(build, systemNamespace)(one) && isSucceeded(one)
      )
      started.push((yield* firstSeen(`${name} runs`, podChanges, isRunning(name))) - imported)
      const object = pod({ namespace: ns, name: `${name}-bare` }, { container, nodeName: node })
      startedBare.push(yield* timeUntil({ kind: pods, object }, podChanges, isRunning(object.metadata.name)))
    }
    const object = suspendedJob(name, builderImage)
    const isSuspended = (one: Job) => one.metadata.namespace === ns && one.metadata.name === name
    createdBare.push(yield* timeUntil({ kind: jobs, object }, jobChanges, isSuspended))
    // What is measured is measured: the slot is the next round's.
    yield* kubectl("delete", "-n", ns, `nixbuild/${build}`, `pod/${name}`, `job/${name}`, "--wait=false")
  }
  const row = (what: string, share: number): Row => ({
    what,
    unit: "ms",
    ours: [quantile(created, share)],
    bare: [quantile(createdBare, share)]
  })
  const rows: ReadonlyArray<Row> = [
    row(`Pod failing → build Job, p50 of ${rounds}; one Job created`, 0.5),
    row(`Pod failing → build Job, p99 of ${rounds}; one Job created`, 0.99),
    {
      what: "import done → container runs; Pod with an image that is there → runs",
      unit: "ms",
      ours: started,
      bare: startedBare
    }
  ]
  return rows
}, Effect.scoped)
