/**
 * The bare counterpart of a build: the same programs run in Pods of the same
 * shape that are there already, with nothing of Kubernetes in between, and two
 * Jobs of that shape that do nothing.
 */
import { Clock, DateTime, Effect, Schema } from "effect"
import { makeBuildJob } from "../functions/job-launcher/build-job.ts"
import { makeImportJob } from "../functions/importer/import-job.ts"
import { isSucceeded, type Job, jobs, managedBy, namespaces, nodes } from "../lib/kubernetes/kinds.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"
import { programPath, programs } from "../lib/nixbuild/job-contract.ts"
import { BuildSucceeded, ImportSucceeded } from "../lib/nixbuild/job-result.ts"
import { CommandFailed } from "../tools/command.ts"
import { apply, complete, find, kubectl, makeNamespace, nixBuild, patienceFlag } from "../test/cluster/kubectl.ts"
import { watch } from "../test/cluster/watch.ts"
import { node, timeUntil } from "./cluster.ts"
import { settingsWith } from "./settings.ts"

const ns = "bench-bare"

// Runs a program of the builder image and says how long it took and how it ended.
const timer = `
const { spawnSync } = require("node:child_process")
const { readFileSync, rmSync } = require("node:fs")
const [program, env] = process.argv.slice(1)
const told = "/tmp/told"
rmSync(told, { force: true })
const begin = performance.now()
spawnSync(process.execPath, [program], {
  stdio: "ignore",
  env: { ...process.env, ...JSON.parse(env), TERMINATION_LOG: told }
})
const millis = performance.now() - begin
console.log(JSON.stringify({ millis, result: JSON.parse(readFileSync(told, "utf8")) }))
`

const exec = Effect.fnUntraced(function* <A>(
  at: { readonly namespace: string; readonly pod: string; readonly program: string },
  result: Schema.Codec<A, unknown>,
  env: Readonly<Record<string, string>>
) {
  const command = ["node", "-e", timer, at.program, JSON.stringify(env)]
  const text = yield* kubectl("exec", "-n", at.namespace, at.pod, "--", ...command)
  const timed = Schema.fromJsonString(Schema.Struct({ millis: Schema.Finite, result }))
  return yield* Schema.decodeUnknownEffect(timed)(text).pipe(
    Effect.mapError(() => new CommandFailed({ message: `${at.program} failed in ${at.pod}: ${text}` }))
  )
})

/** The Job as we make it, but nobody's, with another command. */
interface JobShape {
  readonly spec: { readonly template: { readonly spec: { readonly containers: ReadonlyArray<object> } } }
}
const podSpecWith = (job: JobShape, command: ReadonlyArray<string>) => ({
  ...job.spec.template.spec,
  terminationGracePeriodSeconds: 1,
  containers: job.spec.template.spec.containers.map((container) => ({ ...container, command, args: [] }))
})

const metadata = (namespace: string, name: string) => ({ namespace, name, labels: managedBy })

const emptyJob = (job: JobShape, namespace: string, name: string) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: metadata(namespace, name),
  spec: { ...job.spec, template: { spec: podSpecWith(job, ["busybox", "true"]) } }
})

/** Two Pods that stay until the scope ends, in a namespace whose cache is warm, and what can be timed with them. */
export const makeBare = Effect.fnUntraced(function* (builderImage: string) {
  yield* makeNamespace(ns)
  const at = { namespace: ns, name: "warm-up" }
  yield* apply(nixBuild(at, { nodes: [node] }))
  const build = yield* complete(at)
  const settings = yield* settingsWith(builderImage)
  const liveTime = DateTime.formatIso(yield* DateTime.now)
  const buildJob = makeBuildJob({ build, node, settings, liveFilter: "", liveTime })
  const importJob = makeImportJob({
    build,
    builderImage,
    namespaceUid: (yield* Effect.flatMap(find(namespaces, { namespace: "", name: ns }), Effect.fromOption)).metadata
      .uid,
    node: yield* Effect.flatMap(find(nodes, { namespace: "", name: node }), Effect.fromOption)
  })
  const pods = [
    { namespace: ns, pod: "bench-build", job: buildJob },
    { namespace: systemNamespace, pod: "bench-import", job: importJob }
  ] as const
  for (const { job, namespace, pod } of pods) {
    yield* Effect.acquireRelease(
      apply({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace, name: pod },
        spec: podSpecWith(job, ["busybox", "sleep", "1000000"])
      }),
      () => Effect.ignore(kubectl("delete", "pod", "-n", namespace, pod))
    )
    yield* kubectl("wait", "-n", namespace, `pod/${pod}`, "--for=condition=Ready", patienceFlag)
  }
  const changes = yield* watch(jobs)
  const emptyJobs = Effect.gen(function* () {
    const stamp = yield* Clock.currentTimeMillis
    let millis = 0
    for (const { job, namespace } of pods) {
      const object = emptyJob(job, namespace, `bench-empty-${stamp}`)
      const isDone = (one: Job) =>
        one.metadata.name === object.metadata.name && one.metadata.namespace === namespace && isSucceeded(one)
      millis += yield* timeUntil({ kind: jobs, object }, changes, isDone)
      yield* kubectl("delete", "job", "-n", namespace, object.metadata.name, "--cascade=background")
    }
    return millis
  })
  const [buildPod, importPod] = pods
  return {
    build: (env: Readonly<Record<string, string>>) =>
      exec({ ...buildPod, program: programPath(programs.build) }, BuildSucceeded, env),
    import: (env: Readonly<Record<string, string>>) =>
      exec({ ...importPod, program: programPath(programs.import) }, ImportSucceeded, env),
    emptyJobs
  }
})
