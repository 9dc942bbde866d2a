/** `enbi image`: requests an image of packages and follows it to its end, or prints it as a flake. */
import { Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { retryAnnotation } from "../../lib/api/annotations.ts"
import { Extra } from "../../lib/api/image-request.ts"
import type { NixImage } from "../../lib/api/niximage.ts"
import { defaultPackageSet } from "../../lib/api/settings.ts"
import { systems } from "../../lib/api/system.ts"
import { servedNameIn } from "../../lib/niximage/served.ts"
import { logsFlag, namespaceFlag, tellLog } from "../build/build.ts"
import { namespaceOr } from "../build/defaults.ts"
import { BadAnswer } from "../exit.ts"
import { Kubernetes, orTrouble } from "../kubernetes.ts"
import { makeNixImage, requestImage } from "./create-niximage.ts"
import { contentIn, nameIn } from "./data.ts"
import { flakeOf } from "./flake.ts"
import { followImage, isOver, readyOf } from "./follow-image.ts"

const optionalText = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const texts = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${description}; may be repeated`), Flag.atLeast(0))

const isGiven = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withoutNegation, Flag.withDefault(false))

const contentFlags = {
  packages: optionalText(
    "packages",
    "The package set: a flake with legacyPackages; by default the cluster's, and in a printed flake the one that enbi-functions comes with"
  ),
  system: Flag.Literals("system", systems).pipe(
    Flag.withDescription("A Nix system to build for; may be repeated; by default those of the cluster's nodes"),
    Flag.atLeast(0)
  ),
  entrypoint: texts("entrypoint", "A word of the image's Entrypoint: what the container runs"),
  cmd: texts("cmd", "A word of the image's Cmd: its arguments; one with a dash as --cmd=-c"),
  env: texts("env", "A variable, as NAME=value"),
  user: optionalText("user", "The user, or user:group; by default root"),
  omit: Flag.Literals("omit", Extra.literals).pipe(
    Flag.withDescription("What the image shall not have of what every image gets; may be repeated"),
    Flag.atLeast(0)
  ),
  maxLayers: Flag.Int("max-layers").pipe(
    Flag.withDescription("How many layers the image may have; by default 100"),
    Flag.optional
  ),
  allowUnfree: isGiven("allow-unfree", "Packages with an unfree license may be used")
}

/** The command. */
export const imageCommand = Command.make(
  "image",
  {
    contents: Argument.String("package").pipe(
      Argument.withDescription("An attribute of the package set, as jq or python3Packages.requests"),
      Argument.variadic({ min: 1 })
    ),
    tag: optionalText(
      "tag",
      "The image's name and tag in the cluster's image registry: name:tag, without the registry"
    ),
    namespace: namespaceFlag,
    ...contentFlags,
    logs: logsFlag,
    isFlake: isGiven("print-flake", "Only print the image as a flake, for nix build")
  },
  Effect.fn("image")(function* ({ isFlake, logs, namespace: wanted, tag, ...all }) {
    const content = yield* contentIn(all)
    if (isFlake) {
      const { packages = defaultPackageSet, systems: asked = ["x86_64-linux", "aarch64-linux"] as const } = content
      return yield* Console.log(flakeOf({ request: content, packages, systems: asked }))
    }
    const imageName = yield* nameIn(tag)
    const { connected } = yield* Kubernetes
    const { api } = yield* connected
    const namespace = yield* namespaceOr(wanted)
    const image = yield* requestImage(api, makeNixImage(namespace, imageName, content))
    const { name } = image.metadata
    const last = isOver(image) ? image : yield* followImage(api, { namespace, name, isVerbose: logs })
    yield* tellEnd(last, logs)
  }, orTrouble)
).pipe(
  Command.withDescription(
    "Build an image of packages in the cluster, for its image registry; exit code 0 once the registry serves it, 1 if it failed"
  ),
  Command.withExamples([
    { command: "enbi image curl jq bash --tag tools:v1", description: "Build and follow; Ctrl-C stops following only" },
    { command: "enbi image curl jq bash --print-flake > flake.nix", description: "The same image for nix build" }
  ])
)

const tellEnd = Effect.fnUntraced(function* (image: NixImage, isVerbose: boolean) {
  const { name, namespace = "" } = image.metadata
  const { message = "", reason = "" } = readyOf(image) ?? {}
  if (image.status?.status === "Built") {
    yield* Console.log(message)
    return yield* Console.log(`image: ${servedNameIn(message) ?? ""}`)
  }
  if (isOver(image)) {
    yield* tellLog(image, isVerbose)
    const { failure } = image.status ?? {}
    yield* Console.log(`Failed: ${failure?.reason ?? reason}: ${failure?.message ?? message}`)
    yield* Console.log(
      `For another attempt: kubectl annotate niximage -n ${namespace} ${name} --overwrite ${retryAnnotation}=$(date +%s)`
    )
    return yield* new BadAnswer()
  }
  yield* Console.log(`${reason}: ${message}`)
  // The NixImage stays, and continues when the obstacle is gone.
  yield* Console.log("It waits until that is fixed. Run the same command to follow it again.")
  return yield* new BadAnswer()
})
