/** `enbi logs`: the log of a NixBuild's build Job, or of the Jobs that import its image. */
import { Console, Effect, Option, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { NixBuild } from "../lib/api/nixbuild.ts"
import { nixBuildUidLabel } from "../lib/keys.ts"
import { systemNamespace } from "../lib/names.ts"
import { namespace } from "./build.ts"
import { Kubectl } from "./kubectl.ts"
import { namespaceOr } from "./place.ts"
import { follow } from "./source.ts"
import { Trouble } from "./trouble.ts"

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(NixBuild))

/** The command. */
export const logs = Command.make(
  "logs",
  {
    name: Argument.String("nixbuild").pipe(Argument.withDescription("Its name")),
    namespace,
    follow,
    isImport: Flag.Boolean("import").pipe(
      Flag.withDescription(`The Jobs in ${systemNamespace} that bring the image into containerd instead`),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  Effect.fn("logs")(function* ({ follow, isImport, name, ...wanted }) {
    const { lines, output } = yield* Kubectl
    const namespace = yield* namespaceOr(wanted.namespace)
    const text = yield* output("get", "nixbuild", name, "-n", namespace, "-o", "json")
    const { metadata, status } = yield* decode(text).pipe(
      Effect.mapError(({ message }) => new Trouble({ message: `NixBuild ${name} cannot be read: ${message}` }))
    )
    const more = follow ? ["-f"] : []
    const print = (...words: ReadonlyArray<string>) =>
      Stream.runForEach(lines("logs", ...words), (line) => Console.log(line))
    if (isImport) {
      const label = `${nixBuildUidLabel}=${metadata.uid}`
      return yield* print("-n", systemNamespace, "-l", label, "--tail=-1", "--prefix", ...more)
    }
    const job = Option.fromNullishOr(status?.buildJobName)
    if (Option.isNone(job)) {
      return yield* new Trouble({
        message: `NixBuild ${name} has no build Job yet: kubectl describe nixbuild -n ${namespace} ${name} says what it waits for.`
      })
    }
    const there = yield* output("get", "job", job.value, "-n", namespace, "--ignore-not-found", "-o", "name")
    if (there !== "") return yield* print("-n", namespace, `job/${job.value}`, ...more)
    const end = status?.failure?.log
    if (end === undefined) {
      return yield* new Trouble({
        message: `The Job of NixBuild ${name} is gone, and its log with it: it succeeded, and then nobody needs it.`
      })
    }
    yield* Console.log(`The Job is gone; the end of its log is kept in the NixBuild:\n${end}`)
  })
).pipe(
  Command.withDescription("Print the log of a NixBuild's build"),
  Command.withExamples([{ command: "enbi logs -n apps hello -f", description: "As it is written" }])
)
