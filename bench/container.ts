/** The functions in a container of Docker's, under the limits of `embedded/deployment.yaml`, with what the kernel counts of them. */
import { Effect, FileSystem, Schedule, Schema } from "effect"
import { parse } from "yaml"
import { CommandFailed, output } from "../tools/command.ts"

const Deployment = Schema.Struct({
  spec: Schema.Struct({
    template: Schema.Struct({
      spec: Schema.Struct({
        containers: Schema.Tuple([
          Schema.Struct({
            resources: Schema.Struct({ limits: Schema.Struct({ memory: Schema.String }) }),
            livenessProbe: Schema.Struct({
              httpGet: Schema.Struct({ path: Schema.String }),
              timeoutSeconds: Schema.Int
            })
          })
        ])
      })
    })
  })
})

/** As much of the manifest as the container is held to. */
export const readManifest = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString("embedded/deployment.yaml")
  const { spec } = yield* Schema.decodeUnknownEffect(Deployment)(parse(text))
  const [{ livenessProbe, resources }] = spec.template.spec.containers
  return { memory: resources.limits.memory, liveness: livenessProbe }
})

const docker = (...args: ReadonlyArray<string>) => output({ command: "docker", args })

interface Run {
  readonly image: string
  readonly memory: string
  readonly env: Readonly<Record<string, string>>
}

/** Runs until the scope ends. Docker's b, k, m and g are Kubernetes' Ki, Mi and Gi. */
export const startContainer = Effect.fnUntraced(function* ({ env, image, memory }: Run) {
  const files = yield* FileSystem.FileSystem
  const variables = Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`])
  const limits = ["--memory", memory.replace("i", "").toLowerCase()]
  const id = yield* Effect.acquireRelease(
    Effect.map(docker("run", "--detach", "--network", "host", ...limits, ...variables, image), (text) => text.trim()),
    (container) => Effect.orDie(docker("rm", "--force", container))
  )
  const pid = (yield* docker("inspect", "--format", "{{.State.Pid}}", id)).trim()
  const proc = (file: string) =>
    files
      .readFileString(`/proc/${pid}/${file}`)
      .pipe(Effect.mapError(() => new CommandFailed({ message: `The functions ended: docker logs ${id}` })))
  return {
    /** User and system time of all threads so far. */
    cpuMillis: Effect.map(proc("stat"), (text) => {
      const [utime, stime] = text
        .slice(text.lastIndexOf(")") + 2)
        .split(" ")
        .slice(11, 13)
      return (Number(utime) + Number(stime)) * 10
    }),
    /** The most memory that was resident so far. */
    peakMebibytes: Effect.map(proc("status"), (text) => Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024),
    /** Ends it, and gives its log. */
    stop: Effect.andThen(docker("stop", id), docker("logs", id))
  }
})

export type Container = Effect.Success<ReturnType<typeof startContainer>>

/** As kubelet asks, but ten times a second: the slowest answer in ms, and how often there was none in time. */
export const askLiveness = Effect.fnUntraced(function* (url: string, timeoutSeconds: number) {
  const answers: Array<number> = []
  let missed = 0
  const ask = Effect.gen(function* () {
    const begin = performance.now()
    const isAlive = yield* Effect.promise(() =>
      fetch(url, { signal: AbortSignal.timeout(timeoutSeconds * 1000) }).then(
        ({ ok }) => ok,
        () => false
      )
    )
    if (isAlive) answers.push(performance.now() - begin)
    // Before it listens, nobody asks.
    else if (answers.length > 0) missed += 1
  })
  yield* Effect.forkScoped(Effect.repeat(ask, Schedule.spaced("100 millis")))
  return { slowestMillis: () => Math.max(...answers), missed: () => missed }
})
