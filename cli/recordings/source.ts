/** Where recordings are read from: files, standard input, or the log of the functions themselves. */
import { Console, Effect, FileSystem, Path, Stdio, Stream } from "effect"
import { Argument, Flag } from "effect/cli"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { listFrom } from "../../lib/kubernetes/cluster.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { Kubernetes, orTrouble } from "../kubernetes.ts"
import { containersOf } from "../build/pod-logs.ts"
import { Trouble } from "../exit.ts"

/** The files to read. */
export const files = Argument.File("file").pipe(
  Argument.withDescription(
    `Files to read, or - for standard input. Without one: the log of the functions in ${systemNamespace}`
  ),
  // A File is completed by shells, but comes as an absolute path, and so would -.
  Argument.mapEffect(
    Effect.fnUntraced(function* (file) {
      const path = yield* Path.Path
      const relative = path.relative(path.resolve(), file)
      return relative.startsWith("..") ? file : relative
    })
  ),
  Argument.variadic()
)

/** Whether to go on as the functions do. */
export const followFlag = Flag.Boolean("follow").pipe(
  Flag.withAlias("f"),
  Flag.withDescription("Follow: continue with new log lines"),
  Flag.withoutNegation,
  Flag.withDefault(false)
)

interface Source {
  readonly file: ReadonlyArray<string>
  readonly follow?: boolean
}

/** The functions' log: one process or one for each function, Knative's containers beside them. */
const functionsLog = (follow: boolean) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { connected } = yield* Kubernetes
      const { api, log } = yield* connected
      const labels = { "app.kubernetes.io/part-of": "enbi-functions" }
      const found = yield* orTrouble(listFrom(api)({ kind: pods, selector: { namespace: systemNamespace, labels } }))
      const each = found.flatMap((pod) => containersOf(pod).map((container) => ({ pod, container })))
      const lines = Stream.flatMap(
        Stream.fromIterable(each),
        // A Pod that is just starting has no log yet.
        (one) => log({ ...one, follow, timestamps: !follow }).pipe(Stream.catch(tell)),
        { concurrency: "unbounded" }
      )
      return follow ? lines : inOrder(lines)
    })
  )

const tell = ({ message }: KubernetesError) => Stream.fromEffectDrain(Console.error(`error: ${message}`))

/** Each container's log is in order, and they are read side by side. */
const inOrder = <E, R>(lines: Stream.Stream<string, E, R>) =>
  Stream.unwrap(
    Effect.map(Stream.runCollect(lines), (all) =>
      Stream.fromIterable(all.toSorted((one, other) => timeOf(one) - timeOf(other)))
    )
  )

// With the offset of the node's zone.
const timeOf = (line: string): number => Date.parse(/^\S+(?= )/u.exec(line)?.[0] ?? "") || 0

/** All lines of all of them, in order. */
export const linesOf = ({ file, follow = false }: Source) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { stdin } = yield* Stdio.Stdio
      const fileSystem = yield* FileSystem.FileSystem
      if (file.length === 0) return functionsLog(follow)
      return Stream.flatMap(Stream.fromIterable(file), (name) =>
        (name === "-" ? stdin : fileSystem.stream(name)).pipe(
          Stream.decodeText,
          Stream.splitLines,
          Stream.mapError((error) => new Trouble({ message: `${name} cannot be read: ${error.reason._tag}` }))
        )
      )
    })
  )
