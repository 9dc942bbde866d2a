/** Everything that can be away is, while builds run; afterwards it is as if nothing had happened. */
import { assert, it } from "@effect/vitest"
import { Array, Console, Effect, Equal, Record, Ref, Schedule, Schema } from "effect"
import { isSucceeded, type Job, jobs, pods } from "../../lib/kubernetes/kinds.ts"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { namespaceAnnotation, nixBuildAnnotation } from "../../lib/api/annotations.ts"
import {
  amongAll,
  apply,
  eventually,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  patiently,
  services,
  when
} from "./cluster.ts"
import { killApiServer, killFunctions, killFunctionsAndPod, randomPause, restartWorker } from "./faults.ts"
import { apiServerSamples, functionsSamples, isWrite, type Sample, sumOf } from "./metrics.ts"
import { watch } from "./watch.ts"

const ns = "chaos"
const count = 28
const packages = ["hello", "hello-gz", "two-layer", "hello-stream"]

const ours = "app.kubernetes.io/managed-by=enbi-functions"

const together = { concurrency: "unbounded" } as const

const isOver = ({ status }: NixBuild): boolean => status?.status === "Succeeded" || status?.status === "Failed"

// What an earlier namespace of that name has left is removed meanwhile, by Jobs that say so.
const belongsHere = ({ metadata: { annotations, name } }: Job): boolean =>
  annotations?.[nixBuildAnnotation]?.startsWith(`${ns}/`) === true ||
  (annotations?.[namespaceAnnotation] === ns && !name.startsWith("enbi-remove-volume-"))

const EventsOfJobs = Schema.fromJsonString(
  Schema.Struct({
    items: Schema.Array(
      Schema.Struct({
        involvedObject: Schema.Struct({ namespace: Schema.String, name: Schema.String, uid: Schema.String })
      })
    )
  })
)

/** Every Job there was, from the watch and from what the Job controller said, which has no gaps. */
const allJobs = Effect.fnUntraced(function* (seen: ReadonlyArray<{ readonly object: Job }>) {
  const watched = seen.map(({ object }) => object).filter(belongsHere)
  const names = new Set(watched.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
  const said = yield* kubectl("get", "events", "-A", "--field-selector=involvedObject.kind=Job", "-o", "json")
  const { items } = yield* Schema.decodeUnknownEffect(EventsOfJobs)(said)
  return Object.groupBy(
    [
      ...watched.map(({ metadata }) => ({ name: `${metadata.namespace}/${metadata.name}`, uid: metadata.uid })),
      ...items.map(({ involvedObject: { name, namespace, uid } }) => ({ name: `${namespace}/${name}`, uid }))
    ].filter(({ name }) => names.has(name)),
    ({ name }) => name
  )
})

/** What prepared a volume stays for an hour; when all NixBuilds have succeeded no other Job has a reason to be. */
const orphans = Effect.gen(function* () {
  const left = (yield* Effect.forEach([ns, "enbi-system"], (where) => list(jobs, where))).flat().filter(belongsHere)
  return left
    .filter((job) => !isSucceeded(job) || !job.metadata.name.startsWith("enbi-volume-"))
    .map(({ metadata }) => metadata.name)
})

/** Pods of Jobs that run or go although nothing is left to do. */
const busyPods = Effect.gen(function* () {
  const left = yield* Effect.forEach([ns, "enbi-system"], (where) => list(pods, where, "-l", ours))
  const kept = yield* Effect.forEach([ns, "enbi-system"], (where) => list(jobs, where, "-l", ours))
  const names = new Set(kept.flat().map(({ metadata }) => metadata.name))
  return left
    .flat()
    .filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp !== undefined ||
        !names.has(metadata.labels?.["batch.kubernetes.io/job-name"] ?? "") ||
        (status?.phase !== "Succeeded" && status?.phase !== "Failed")
    )
    .map(({ metadata }) => metadata.name)
})

/**
 * Requests that change something of what the functions write, by whomever. Not counted at the API server: Events, to
 * which kubelet adds whenever a Pod waits, and renewals of Leases (PUT), which are how nodes say that they are there.
 * What the functions themselves count has no such holes.
 */
const writes = Effect.gen(function* () {
  const changes = (yield* apiServerSamples).filter(
    ({ labels, name }) => name === "apiserver_request_total" && isOfOurKinds(labels)
  )
  const requestOf = ({ labels: { resource, subresource, verb } }: Sample) => `${verb} ${resource} ${subresource}`
  const server = Record.map(Array.groupBy(changes, requestOf), (samples) =>
    samples.reduce((sum, one) => sum + one.value, 0)
  )
  return { server, functions: sumOf(yield* functionsSamples, "nixbuild_api_requests_total", isWrite) }
})

const isOfOurKinds = (labels: Sample["labels"]): boolean => {
  const { group = "", resource = "", subresource = "", verb = "" } = labels
  if (!isWrite(labels)) return false
  if (group === "enbi.hrzn.ee" || group === "batch") return true
  if (resource === "leases") return verb !== "PUT"
  return ["persistentvolumes", "persistentvolumeclaims", "pods"].includes(resource) && subresource === ""
}

it.live(
  `${count} builds while the functions, the API server and a worker are killed: all end well, once, and then all is quiet`,
  () =>
    Effect.gen(function* () {
      yield* makeNamespace(ns)
      const seenJobs = yield* watch(jobs)
      const seenBuilds = yield* watch(nixBuilds)
      const unfinished = Effect.map(seenBuilds, (seen) => {
        const newest = new Map(seen.map(({ object }) => [object.metadata.uid, object]))
        return [...newest.values()].filter(
          ({ metadata, status }) => metadata.namespace === ns && status?.status !== "Succeeded"
        ).length
      })
      const found = yield* Ref.make<ReadonlyArray<number>>([])
      /** At a random moment after so many builds are left. */
      const fault = Effect.fnUntraced(function* <E, R>(from: number, what: string, self: Effect.Effect<unknown, E, R>) {
        yield* unfinished.pipe(
          Effect.repeat({ until: (left) => left <= from, schedule: Schedule.spaced("200 millis") })
        )
        yield* randomPause
        const left = yield* unfinished
        yield* Console.log(`${what}, ${left} builds to go`)
        yield* Ref.update(found, (before) => [...before, left])
        yield* self
      })

      yield* apply(
        ...Array.makeBy(count, (index) =>
          nixBuild({ namespace: ns, name: `build-${index}` }, { packageName: packages[index % packages.length] ?? "" })
        )
      )
      // The first kill comes with a Pod: earlier tests may have killed in this one.
      yield* fault(count, "functions killed", killFunctionsAndPod)
      yield* Effect.all(
        [fault(25, "API server killed", killApiServer), fault(25, "functions killed", killFunctions)],
        together
      )
      yield* Effect.all(
        [
          fault(21, "worker killed", restartWorker),
          Effect.andThen(
            fault(18, "functions killed", killFunctionsAndPod),
            fault(14, "functions killed", killFunctions)
          )
        ],
        together
      )
      assert.isTrue(
        (yield* Ref.get(found)).every((left) => left > 0),
        "there was work to disturb each time"
      )

      const ended = yield* amongAll("all builds end", { kind: nixBuilds, namespace: ns }, (builds) =>
        when(builds, builds.every(isOver))
      )
      assert.deepStrictEqual(
        ended.filter(({ status }) => status?.status !== "Succeeded").map(({ metadata, status }) => [metadata, status]),
        []
      )
      assert.lengthOf(ended, count)
      yield* eventually(
        "the Jobs go",
        Effect.map(patiently(Effect.all([orphans, busyPods])), (left) => when(true, left.flat().length === 0))
      )

      // What others left is told that it is not used any more, when a node that came back reports other images.
      yield* eventually(
        "a time in which nothing is written",
        Effect.gen(function* () {
          const before = yield* writes
          // The watch of quiet itself: two sweeps, and what they would lead to.
          yield* Effect.sleep("75 seconds")
          return when(before, Equal.equals(before, yield* writes))
        })
      )
      assert.deepStrictEqual(yield* orphans, [])
      const made = yield* allJobs(yield* seenJobs)
      // Each has a build and an import Job, and they share volume Jobs.
      assert.isAtLeast(Object.keys(made).length, 2 * count + 1)
      const twice = Object.entries(made).filter(([, all]) => new Set(all?.map(({ uid }) => uid)).size > 1)
      assert.deepStrictEqual(twice, [])
    }).pipe(Effect.scoped, Effect.provide(services)),
  // Its work ends it: this is for what hangs.
  3_600_000
)
