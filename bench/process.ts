/** The functions' process by itself: how soon it listens, and what it takes when it has read 1,000 finished NixBuilds. */
import { Clock, Effect, FileSystem, Option, Path, Schedule, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { bundle } from "../images/bundle.ts"
import { CommandFailed } from "../tools/command.ts"
import { serveCluster } from "./stand-in/server.ts"
import type { Row } from "./row.ts"

const rounds = 15
/** As many times node's own start are a function's; without its bundle it takes twenty. */
export const mostStarts = 7.5
const finishedBuilds = 1000
// Several, since when garbage is collected is chance.
const residents = [18_090, 18_091, 18_092]

/** A node process, which ends with the scope. */
export const spawn = Effect.fnUntraced(function* (args: ReadonlyArray<string>, env: Record<string, string> = {}) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  return yield* spawner.spawn(ChildProcess.make(process.execPath, args, { env, extendEnv: true, stdin: "ignore" }))
})

/** How many milliseconds it takes. */
export const timed = Effect.fnUntraced(function* <A, E, R>(self: Effect.Effect<A, E, R>) {
  const begin = yield* Clock.currentTimeNanos
  yield* self
  return Number((yield* Clock.currentTimeNanos) - begin) / 1e6
})

/** How the functions' image runs node: with this environment, and a program, whose place is changed to this checkout's. */
export const readImage = Effect.fnUntraced(function* (root: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(`${root}/images/functions/Dockerfile`)
  const env = Object.fromEntries(
    Array.from(text.matchAll(/^ENV (\w+)="?([^"]*)"?$/gm), ([, name = "", value = ""]) => [name, value])
  )
  const [, entrypoint = "[]"] = /^ENTRYPOINT (\[.*\])$/m.exec(text) ?? []
  const [, ...args] = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Array(Schema.String)))(entrypoint)
  return { env, args: args.map((arg) => arg.replace(/^\/app\//, `${root}/dist/functions/`)) }
})

/** A node that starts and ends. */
export const startBare = Effect.scoped(Effect.flatMap(spawn(["-e", "0"]), ({ exitCode }) => exitCode))

type Image = Effect.Success<ReturnType<typeof readImage>>

/** The process, once it listens. */
export const startFunctions = Effect.fnUntraced(function* ({ args, env }: Image, url: string, port = 18_090) {
  const handle = yield* spawn(args, { ...env, KUBERNETES_URL: url, BUILDER_IMAGE: "builder:1", PORT: String(port) })
  yield* handle.all.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.filter((line) => line.includes("Listening on")),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption),
    Effect.mapError(() => new CommandFailed({ message: "The functions ended before they listened." }))
  )
  return handle
})

export const isReady = (port: number) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/health/readiness`).then(
      ({ status }) => status === 200,
      () => false
    )
  )

export const residentMebibytes = Effect.fnUntraced(function* (pid: number) {
  const files = yield* FileSystem.FileSystem
  const status = yield* files.readFileString(`/proc/${pid}/status`)
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
})

/** RSS at once, and again after a sweep: what reading left behind is collected only when there is something to do. */
const residentOverTime = Effect.fnUntraced(function* (pid: number) {
  const early = yield* residentMebibytes(pid)
  yield* Effect.sleep("35 seconds")
  return [early, yield* residentMebibytes(pid)]
})

export const processRows = Effect.gen(function* () {
  const path = yield* Path.Path
  const root = path.normalize(yield* path.fromFileUrl(new URL("..", import.meta.url))).replace(/\/$/, "")
  yield* bundle(root)
  const image = yield* readImage(root)
  const { url: empty } = yield* serveCluster({ nodes: 1, pods: 0, builds: 0 })
  const ours: Array<number> = []
  const bare: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    bare.push(yield* timed(startBare))
    // Ending it is not part of the time.
    ours.push(
      yield* Effect.scoped(
        Effect.gen(function* () {
          const begin = yield* Clock.currentTimeNanos
          yield* startFunctions(image, empty)
          return Number((yield* Clock.currentTimeNanos) - begin) / 1e6
        })
      )
    )
  }
  const { url: full, writes } = yield* serveCluster({ nodes: 1, pods: 0, builds: finishedBuilds })
  const measureResident = Effect.fnUntraced(function* (port: number) {
    const { pid } = yield* startFunctions(image, full, port)
    yield* isReady(port).pipe(
      Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("100 millis") }),
      Effect.timeout("30 seconds")
    )
    return yield* residentOverTime(pid)
  }, Effect.scoped)
  const resident = yield* Effect.forEach(residents, measureResident, { concurrency: "unbounded" })
  const [write] = yield* writes
  if (write !== undefined) return yield* new CommandFailed({ message: `Finished NixBuilds led to ${write}.` })
  const node = yield* Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* spawn(["-e", "console.log(1); setInterval(() => {}, 1000)"])
      yield* Effect.map(Stream.runHead(handle.stdout), Option.isSome)
      return yield* residentMebibytes(handle.pid)
    })
  )
  const rows: ReadonlyArray<Row> = [
    {
      what: "process start → listening, against node -e 0",
      unit: "ms",
      ours,
      bare,
      ceiling: { of: "ratio", most: mostStarts }
    },
    {
      what: `RSS with ${finishedBuilds} finished NixBuilds, against an idle node`,
      unit: "MiB",
      ours: resident.flat(),
      bare: [node],
      ceiling: { of: "ours", most: 120 }
    }
  ]
  return rows
}).pipe(Effect.scoped)
