/** Each function as a process of its own, as on Knative: how soon it listens, what it takes, and what an event costs. */
import { Effect, FileSystem, Path, Stream } from "effect"
import { Agent, request } from "node:http"
import { bundle } from "../images/bundle.ts"
import { serveCluster } from "./stand-in/server.ts"
import { mostStarts, readImage, residentMebibytes, spawn, startBare, startFunctions, timed } from "./process.ts"
import type { Row } from "./row.ts"

const rounds = 5
const events = 3000
// Of the programs that take events side by side.
const ports = { none: 18_093, looked: 18_094, bare: 18_095 }
// The program's own code is compiled while the first events come.
const warmUps = 2

/** A Pod as kubelet reports it, some 7 KB with what says who wrote which field. */
const podOf = (name: string, annotations: Readonly<Record<string, string>>): string => {
  const field = { "f:status": { "f:conditions": {}, "f:containerStatuses": {}, "f:phase": {} } }
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "bench",
      uid: "00000000-0000-4000-8000-000000000000",
      resourceVersion: "1",
      annotations,
      managedFields: Array.from({ length: 40 }, () => ({ manager: "kubelet", operation: "Update", fieldsV1: field }))
    },
    spec: { containers: [{ name: "app", image: "registry.invalid/bench/app:1" }] },
    status: { containerStatuses: [{ name: "app", state: { waiting: { reason: "ErrImagePull" } } }] }
  })
}

interface Sender {
  readonly port: number
  readonly agent: Agent
}

const send = (name: string, annotations: Readonly<Record<string, string>>, { agent, port }: Sender) =>
  Effect.callback<void>((resume) => {
    const body = podOf(name, annotations)
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": name,
      "ce-source": "https://10.96.0.1:443",
      "ce-type": "dev.knative.apiserver.resource.update",
      "ce-subject": `/apis/v1/namespaces/bench/pods/${name}`,
      "ce-time": "2026-01-01T00:00:00.000000001Z",
      "ce-kind": "Pod",
      "ce-namespace": "bench",
      "ce-name": name,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body)
    }
    request({ host: "127.0.0.1", port, method: "POST", agent, headers }, (response) => {
      response.resume()
      response.on("end", () => {
        resume(response.statusCode === 204 ? Effect.void : Effect.die(`an event was answered ${response.statusCode}`))
      })
    }).end(body)
  })

/** What the process has used of a processor so far. */
const cpuMicros = Effect.fnUntraced(function* (pid: number) {
  const files = yield* FileSystem.FileSystem
  const [, fields = ""] = (yield* files.readFileString(`/proc/${pid}/stat`)).split(") ")
  const [user, system] = fields.split(" ").slice(11, 13).map(Number)
  // A hundred ticks a second, on all Linux that there is.
  return ((user ?? 0) + (system ?? 0)) * 10_000
})

interface Receiver {
  readonly pid: number
  readonly port: number
  readonly annotations: Readonly<Record<string, string>>
}

/** Of one event among many. */
const costOf = Effect.fnUntraced(function* ({ annotations, pid, port }: Receiver) {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const all = Array.from({ length: events }, (_, index) => send(`pod-${index}`, annotations, { agent, port }))
  const before = yield* cpuMicros(pid)
  yield* Effect.forEach(all, (one) => one, { concurrency: 8, discard: true })
  agent.destroy()
  return ((yield* cpuMicros(pid)) - before) / events
})

/** Theirs, a round of each after the other, once everything is warm. */
const costs = Effect.fnUntraced(function* (receivers: ReadonlyArray<Receiver>) {
  const found: Array<ReadonlyArray<number>> = []
  for (let round = 0; round < rounds + warmUps; round += 1) {
    const ofRound = yield* Effect.forEach(receivers, costOf)
    if (round >= warmUps) found.push(ofRound)
  }
  return receivers.map((_, index) => found.map((round) => round[index] ?? Number.NaN))
})

export const programRows = Effect.gen(function* () {
  const path = yield* Path.Path
  const files = yield* FileSystem.FileSystem
  const root = path.normalize(yield* path.fromFileUrl(new URL("..", import.meta.url))).replace(/\/$/, "")
  yield* bundle(root)
  const { env } = yield* readImage(root)
  const programOf = (name: string) => ({ env, args: [path.join(root, `dist/functions/functions/${name}.js`)] })
  const { url } = yield* serveCluster({ nodes: 1, pods: 0, builds: 0 })
  const starts: Array<number> = []
  const startsBare: Array<number> = []
  const resident: Array<number> = []
  for (const name of yield* files.readDirectory(path.join(root, "functions"))) {
    for (let round = 0; round < rounds; round += 1) {
      startsBare.push(yield* timed(startBare))
      // Ending it is not part of the time.
      yield* Effect.scoped(
        Effect.gen(function* () {
          let pid = 0
          const start = Effect.map(startFunctions(programOf(name), url, ports.none), (handle) => {
            pid = handle.pid
          })
          starts.push(yield* timed(start))
          resident.push(yield* residentMebibytes(pid))
        })
      )
    }
  }
  const detector = programOf("pod-failure-detector")
  const none = yield* startFunctions(detector, url, ports.none)
  const looked = yield* startFunctions(detector, url, ports.looked)
  const bare = yield* spawn([path.join(root, "bench/bare-server.js")], { PORT: String(ports.bare) })
  yield* Stream.runHead(bare.stdout)
  const [ofNone = [], ofLooked = [], ofBare = []] = yield* costs([
    { pid: none.pid, port: ports.none, annotations: {} },
    { pid: looked.pid, port: ports.looked, annotations: { "enbi.hrzn.ee/nixbuild-flakeUrl": "github:a/b" } },
    { pid: bare.pid, port: ports.bare, annotations: {} }
  ])
  const rows: ReadonlyArray<Row> = [
    {
      what: "a function's own start → listening, against node -e 0",
      unit: "ms",
      ours: starts,
      bare: startsBare,
      ceiling: { of: "ratio", most: mostStarts }
    },
    { what: "its RSS then", unit: "MiB", ours: resident, ceiling: { of: "ours", most: 80 } },
    {
      what: "CPU of an event that leads to nothing, against a bare node",
      unit: "µs",
      ours: ofNone,
      bare: ofBare,
      ceiling: { of: "ratio", most: 3.5 }
    },
    { what: "CPU of an event with one read of the API server", unit: "µs", ours: ofLooked, bare: ofBare }
  ]
  return rows
}).pipe(Effect.scoped)
