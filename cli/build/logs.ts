/** `enbi logs`: the log of a NixBuild's build Job, or of the Jobs that import its image. */
import { Console, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { jobs, pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { getFrom, listFrom } from "../../lib/kubernetes/cluster.ts"
import { nixBuildUidLabel } from "../../lib/api/annotations.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { namespaceFlag } from "./build.ts"
import { Kubernetes, orTrouble } from "../kubernetes.ts"
import { namespaceOr } from "./defaults.ts"
import { firstContainerOf } from "./pod-logs.ts"
import { followFlag } from "../recordings/source.ts"
import { Trouble } from "../exit.ts"

/** The command. */
export const logs = Command.make(
  "logs",
  {
    name: Argument.String("nixbuild").pipe(Argument.withDescription("Its name")),
    namespace: namespaceFlag,
    follow: followFlag,
    isImport: Flag.Boolean("import").pipe(
      Flag.withDescription(`Show the import Jobs' logs (in ${systemNamespace}) instead`),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  Effect.fn("logs")(function* ({ follow, isImport, name, ...wanted }) {
    const { connected } = yield* Kubernetes
    const { api, log } = yield* connected
    const namespace = yield* namespaceOr(wanted.namespace)
    const found = yield* getFrom(api)(nixBuilds, { namespace, name })
    if (Option.isNone(found)) {
      return yield* new Trouble({ message: `There is no NixBuild ${name} in the namespace ${namespace}.` })
    }
    const { metadata, status } = found.value
    if (isImport) {
      const labels = { [nixBuildUidLabel]: metadata.uid }
      const all = yield* listFrom(api)({ kind: pods, selector: { namespace: systemNamespace, labels } })
      return yield* Effect.forEach(
        all,
        (pod) => {
          const container = firstContainerOf(pod)
          return Stream.runForEach(log({ pod, container, follow }), (line) =>
            Console.log(`[pod/${pod.metadata.name}/${container}] ${line}`)
          )
        },
        { concurrency: follow ? "unbounded" : 1, discard: true }
      )
    }
    const job = status?.buildJobName
    if (job === undefined) {
      return yield* new Trouble({
        message: `NixBuild ${name} has no build Job yet: kubectl describe nixbuild -n ${namespace} ${name} says what it waits for.`
      })
    }
    if (Option.isSome(yield* getFrom(api)(jobs, { namespace, name: job }))) {
      const labels = { "batch.kubernetes.io/job-name": job }
      const [pod] = yield* listFrom(api)({ kind: pods, selector: { namespace, labels } })
      if (pod === undefined) {
        return yield* new Trouble({
          message: `Job ${job} has no Pod yet: kubectl describe job -n ${namespace} ${job} says why.`
        })
      }
      return yield* Stream.runForEach(log({ pod, container: firstContainerOf(pod), follow }), (line) =>
        Console.log(line)
      )
    }
    const end = status?.failure?.log
    if (end === undefined) {
      return yield* new Trouble({
        message: `The Job of NixBuild ${name} succeeded and was removed, and its log with it.`
      })
    }
    yield* Console.log(`The Job was removed; the NixBuild keeps the end of its log:\n${end}`)
  }, orTrouble)
).pipe(
  Command.withDescription("Print the log of a NixBuild's build"),
  Command.withExamples([{ command: "enbi logs -n apps hello -f", description: "Follow the log" }])
)
