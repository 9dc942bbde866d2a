/** `enbi build`: requests a package as an image, and follows the build to its end. */
import { Console, Effect, Option } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { phaseOf } from "../../lib/api/nixbuild-condition.ts"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import { systems } from "../../lib/api/system.ts"
import { requestBuild } from "./create-nixbuild.ts"
import { followBuild, isOver } from "./follow-build.ts"
import { Kubernetes, orTrouble } from "../kubernetes.ts"
import { namespaceOr, systemOfNodes } from "./defaults.ts"
import { outcomeOf } from "./progress.ts"
import { BadAnswer } from "../exit.ts"

const installableArgument = Argument.String("flake#package").pipe(
  Argument.withDescription("Such as github:owner/repository#hello-image"),
  Argument.mapEffect((text) => {
    const at = text.lastIndexOf("#")
    const [flakeUrl, packageName] = [text.slice(0, at), text.slice(at + 1)]
    return at > 0 && packageName !== ""
      ? Effect.succeed({ flakeUrl, packageName })
      : Effect.fail(
          new CliError.InvalidValue({
            option: "flake#package",
            value: text,
            expected: "a flake and, after #, its package: github:owner/repository#hello-image",
            kind: "argument"
          })
        )
  })
)

/** The namespace, by default the kubeconfig's. */
export const namespaceFlag = Flag.String("namespace").pipe(
  Flag.withAlias("n"),
  Flag.withDescription("The object's namespace; by default that of the kubeconfig's context"),
  Flag.optional
)

/** As `nix build` has it. */
export const logsFlag = Flag.Boolean("print-build-logs").pipe(
  Flag.withAlias("L"),
  Flag.withDescription("Print the builds' whole output"),
  Flag.withoutNegation,
  Flag.withDefault(false)
)

const flags = {
  tag: Flag.String("tag").pipe(
    Flag.withDescription("The image's full name: [registry/]repository:tag, as Pods write it")
  ),
  system: Flag.Literals("system", systems).pipe(
    Flag.withDescription("The Nix system to build for; by default that of the cluster's nodes, if they have only one"),
    Flag.optional
  ),
  namespace: namespaceFlag,
  node: Flag.String("node").pipe(
    Flag.withDescription("A node that gets the image; may be repeated; by default the scheduler picks one"),
    Flag.atLeast(0)
  ),
  logs: logsFlag
}

/** The command. */
export const buildCommand = Command.make(
  "build",
  { installable: installableArgument, ...flags },
  Effect.fn("build")(function* ({ installable, logs, node, system, tag, ...wanted }) {
    const { connected } = yield* Kubernetes
    const { api } = yield* connected
    const namespace = yield* namespaceOr(wanted.namespace)
    const spec = {
      ...installable,
      imageTag: tag,
      system: Option.isSome(system) ? system.value : yield* systemOfNodes(api),
      nodes: node
    }
    const { before, build } = yield* requestBuild(api, namespace, spec)
    const { name } = build.metadata
    const last = isOver(build) ? build : yield* followBuild(api, { namespace, name, isVerbose: logs, before })
    yield* tellEnd(last, logs)
  }, orTrouble)
).pipe(
  Command.withDescription(
    "Build a flake's package in the cluster and bring it to a node as an image; exit code 0 once the node has it, 1 if it failed"
  ),
  Command.withExamples([
    {
      command: "enbi build github:owner/repository#hello-image --tag registry.example.org/hello:1",
      description: "Build and follow; Ctrl-C stops following, not the build"
    }
  ])
)

const tellEnd = Effect.fnUntraced(function* (build: NixBuild, isVerbose: boolean) {
  if (!isOver(build)) {
    // The obstacle was printed; the NixBuild stays, and continues when the obstacle is gone.
    yield* Console.log("It waits until that is fixed. Run the same command to follow it again.")
    return yield* new BadAnswer()
  }
  yield* tellLog(build, isVerbose)
  yield* Effect.forEach(outcomeOf(build), (line) => Console.log(line), { discard: true })
  if (phaseOf(conditionsOf(build)) !== "Succeeded") return yield* new BadAnswer()
})

/** The end of its log, if it failed and not all of it was printed before. */
export const tellLog = ({ status }: Failed, isVerbose: boolean) =>
  status?.failure?.log === undefined || isVerbose
    ? Effect.void
    : Console.log(status.failure.log.replaceAll(/^/gm, "  "))

interface Failed {
  readonly status?: { readonly failure?: { readonly log?: string } }
}
