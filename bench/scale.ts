/**
 * The one process in clusters of two sizes, against the stand-in for an API
 * server: that it starts and stays within the manifest's limit of memory,
 * answers for its health at all times, and builds, also much at once.
 */
import { Console, Effect, FileSystem, Schedule, Schema, Stream } from "effect"
import { pathOf } from "../lib/kubernetes/kind.ts"
import { type Pod, pods } from "../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { CommandFailed } from "../tools/command.ts"
import { buildImages } from "../images/images.ts"
import { nixBuild, waitingPod } from "../test/memory/given.ts"
import { isReady, readImage, spawn } from "./process.ts"
import { askLiveness, type Container, readManifest, startContainer } from "./container.ts"
import type { Row } from "./row.ts"
import { namespaceName, namespacesFor, nodeName, type Size } from "./stand-in/objects.ts"

const small: Size = { nodes: 3, pods: 100, builds: 100 }
const large: Size = { nodes: 1000, pods: 30_000, builds: 5000 }
const burst = 500
// As many namespaces share the burst, if there are as many.
const burstNamespaces = 50

const patience = Effect.timeoutOrElse({
  duration: "15 minutes",
  orElse: () => Effect.fail(new CommandFailed({ message: "It did not come to its end." }))
})

const until = <E, R>(self: Effect.Effect<boolean, E, R>) =>
  self.pipe(Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("200 millis") }), patience)

const ask = Effect.fnUntraced(function* (url: string, init?: RequestInit) {
  return yield* Effect.tryPromise({
    try: () => fetch(url, init).then((response) => response.text()),
    catch: (cause) => new CommandFailed({ message: `${url}: ${String(cause)}` })
  })
})

const create = (url: string, path: string, object: object) =>
  ask(url + path, { method: "POST", body: JSON.stringify(object) })

const readBuild = Schema.decodeUnknownEffect(Schema.fromJsonString(nixBuilds.schema))
const readPod = Schema.decodeUnknownEffect(Schema.fromJsonString(pods.schema))

/** It spends next to nothing for three seconds. */
const isQuiet = Effect.fnUntraced(function* ({ cpuMillis }: Container) {
  const before = yield* cpuMillis
  yield* Effect.sleep("3 seconds")
  return (yield* cpuMillis) - before < 300
})

/** CPU from before `self` until all is quiet again. */
const cost = Effect.fnUntraced(function* <E, R>(container: Container, self: Effect.Effect<unknown, E, R>) {
  const before = yield* container.cpuMillis
  yield* self
  yield* until(isQuiet(container))
  return (yield* container.cpuMillis) - before
})

const requestsOf = Effect.fnUntraced(function* (functions: string) {
  const lines = (yield* ask(`${functions}/metrics`)).split("\n")
  return lines
    .filter((line) => line.startsWith("nixbuild_api_requests_total{") && !line.includes("WATCH"))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
})

const wish = (name: string) => ({
  name,
  flakeUrl: `github:bench/${name}`,
  image: `reg.io/${name}:1`,
  packageName: "good" as const
})

/** A NixBuild that names no node, as people write them. */
const byHand = (name: string, namespace: string) => nixBuild({ ...wish(name), namespace, nodes: [] })

const buildAll = Effect.fnUntraced(function* (url: string, builds: ReadonlyArray<ReturnType<typeof byHand>>) {
  for (const build of builds) yield* create(url, pathOf(nixBuilds, { namespace: build.metadata.namespace }), build)
  for (const { metadata } of builds) {
    yield* until(
      Effect.map(
        Effect.flatMap(ask(url + pathOf(nixBuilds, metadata)), readBuild),
        ({ status }) => status?.status === "Succeeded"
      )
    )
  }
})

const startPod = Effect.fnUntraced(function* (url: string) {
  const waiting = waitingPod({ ...wish("by-a-pod"), namespace: namespaceName(0), nodeName: nodeName(1) })
  yield* create(url, pathOf(pods, waiting.metadata), waiting)
  const isRunning = ({ status }: Pod) => status?.phase === "Running"
  yield* until(Effect.map(Effect.flatMap(ask(url + pathOf(pods, waiting.metadata)), readPod), isRunning))
})

const port = 18_100

/** `count` NixBuilds are made at once, after one by hand and one by a Pod. */
const measure = Effect.fnUntraced(function* (image: string, size: Size, count: number) {
  const files = yield* FileSystem.FileSystem
  const manifest = yield* readManifest
  yield* Console.log(`  ${size.nodes} nodes, ${size.pods} Pods, ${size.builds} finished NixBuilds …`)
  const standIn = yield* spawn(["bench/stand-in/main.ts", ...[size.nodes, size.pods, size.builds].map(String)])
  const lines = standIn.stdout.pipe(Stream.decodeText, Stream.splitLines)
  const url = yield* Effect.flatMap(Stream.runHead(lines), (line) => Effect.fromOption(line))
  const { env } = yield* readImage(".")
  const longestTurn = `data:text/javascript,${encodeURIComponent(yield* files.readFileString("bench/longest-turn.mjs"))}`
  const functions = `http://127.0.0.1:${port}`
  const container = yield* startContainer({
    image,
    memory: manifest.memory,
    env: {
      KUBERNETES_URL: url,
      BUILDER_IMAGE: "builder:1",
      PORT: String(port),
      NODE_OPTIONS: `${env["NODE_OPTIONS"]} --import=${longestTurn}`
    }
  })
  const liveness = yield* askLiveness(functions + manifest.liveness.httpGet.path, manifest.liveness.timeoutSeconds)
  const start = yield* cost(container, until(Effect.andThen(container.cpuMillis, isReady(port))))
  const startRequests = yield* requestsOf(functions)
  const startPeak = yield* container.peakMebibytes
  const one = yield* cost(container, buildAll(url, [byHand("by-hand", namespaceName(0))]))
  const forPod = yield* cost(container, startPod(url))
  const before = yield* requestsOf(functions)
  const builds = Array.from({ length: count }, (_, index) =>
    byHand(`burst-${index}`, namespaceName(index % Math.min(burstNamespaces, namespacesFor(size.builds))))
  )
  const many = yield* cost(container, buildAll(url, builds))
  const perBuild = ((yield* requestsOf(functions)) - before) / Math.max(1, count)
  const peak = yield* container.peakMebibytes
  const slowest = liveness.slowestMillis()
  const missed = liveness.missed()
  const turn = Number(/longest turn ([\d.]+)/.exec(yield* container.stop)?.[1])
  return { start, startRequests, startPeak, one, forPod, many: many / count, perBuild, peak, slowest, missed, turn }
}, Effect.scoped)

export const scaleRows = Effect.gen(function* () {
  const { functions } = yield* buildImages
  const few = yield* measure(functions, small, 20)
  const much = yield* measure(functions, large, burst)
  const against = `at ${large.nodes}/${large.pods}/${large.builds}; at ${small.nodes}/${small.pods}/${small.builds}`
  const cpu = (what: string, ours: number, bare: number, most: number): Row => ({
    what: `CPU ${what}, ${against}`,
    unit: "ms",
    ours: [ours],
    bare: [bare],
    ceiling: { of: "ratio", most }
  })
  const rows: ReadonlyArray<Row> = [
    {
      what: `peak RSS of a start ${against}`,
      unit: "MiB",
      ours: [much.startPeak],
      bare: [few.startPeak],
      ceiling: { of: "ours", most: 384 }
    },
    {
      what: `peak RSS with ${burst} NixBuilds at once ${against}`,
      unit: "MiB",
      ours: [much.peak],
      bare: [few.peak],
      ceiling: { of: "ours", most: 448 }
    },
    {
      what: `requests of a start ${against}`,
      unit: "requests",
      ours: [much.startRequests],
      bare: [few.startRequests],
      ceiling: { of: "ours", most: 450 }
    },
    {
      what: `requests for each of ${burst} NixBuilds at once ${against}`,
      unit: "requests",
      ours: [much.perBuild],
      bare: [few.perBuild],
      ceiling: { of: "ours", most: 20 }
    },
    {
      what: `liveness probes without an answer in time ${against}`,
      unit: "requests",
      ours: [much.missed],
      bare: [few.missed],
      ceiling: { of: "ours", most: 0 }
    },
    { what: `slowest answer to a liveness probe ${against}`, unit: "ms", ours: [much.slowest], bare: [few.slowest] },
    cpu("of a start until all is quiet", much.start, few.start, 30),
    cpu("of a NixBuild by hand", much.one, few.one, 8),
    cpu("of a NixBuild by a Pod", much.forPod, few.forPod, 8),
    cpu(`of each NixBuild of many at once`, much.many, few.many, 3),
    {
      what: `longest piece of work on the loop ${against}`,
      unit: "ms of CPU",
      ours: [much.turn],
      bare: [few.turn],
      ceiling: { of: "ours", most: 50 }
    }
  ]
  return rows
})
