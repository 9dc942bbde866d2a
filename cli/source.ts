/** Where recordings are read from: files, standard input, or the log of the functions themselves. */
import { Console, Effect, FileSystem, Path, Stdio, Stream } from "effect"
import { Argument, Flag } from "effect/cli"
import { systemNamespace } from "../lib/names.ts"
import { Kubectl } from "./kubectl.ts"
import { Trouble } from "./trouble.ts"

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
export const follow = Flag.Boolean("follow").pipe(
  Flag.withAlias("f"),
  Flag.withDescription("Go on with what is logged from now on"),
  Flag.withoutNegation,
  Flag.withDefault(false)
)

interface Source {
  readonly file: ReadonlyArray<string>
  readonly follow?: boolean
}

// One process or one for each function, Knative's containers beside them; a Pod that is just starting has no log yet.
const log = [
  "logs",
  "-n",
  systemNamespace,
  "-l",
  "app.kubernetes.io/part-of=enbi-functions",
  "--all-containers",
  "--ignore-errors",
  "--max-log-requests=50",
  "--tail=-1"
]

/** kubectl prints one Pod's log after the other's. */
const inOrder = <E, R>(lines: Stream.Stream<string, E, R>) =>
  Stream.unwrap(
    Effect.map(Stream.runCollect(lines), (all) =>
      Stream.fromIterable(all.toSorted((one, other) => timeOf(one) - timeOf(other)))
    )
  )

// With the offset of the node's zone.
const timeOf = (line: string): number => Date.parse(/^\S+(?= )/u.exec(line)?.[0] ?? "") || 0

/** Of a Pod whose log it can't have, kubectl says so among the lines. */
const tellErrors = <E, R>(lines: Stream.Stream<string, E, R>) =>
  Stream.filterEffect(lines, (line) =>
    line.startsWith("error: ") ? Effect.as(Console.error(`kubectl: ${line}`), false) : Effect.succeed(true)
  )

/** All lines of all of them, in order. */
export const linesOf = ({ file, follow = false }: Source) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const kubectl = yield* Kubectl
      const { stdin } = yield* Stdio.Stdio
      const files = yield* FileSystem.FileSystem
      if (file.length === 0) {
        return tellErrors(follow ? kubectl.lines(...log, "-f") : inOrder(kubectl.lines(...log, "--timestamps")))
      }
      return Stream.flatMap(Stream.fromIterable(file), (name) =>
        (name === "-" ? stdin : files.stream(name)).pipe(
          Stream.decodeText,
          Stream.splitLines,
          Stream.mapError((error) => new Trouble({ message: `${name} cannot be read: ${error.reason._tag}` }))
        )
      )
    })
  )
