/**
 * `npm start`: a kind cluster named enbi with the functions in it, and the
 * example, from ImagePullBackOff to an answer out of its image. Everything
 * that is there already is used again.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, Console, Effect, Ref, Schedule, Schema } from "effect"
import { CommandFailed } from "../tools/command.ts"
import { buildImages } from "../images/images.ts"
import { apply, bringUpCluster, forgetOlderImages, installFunctions, kubectl, loadImages, manifests } from "./deploy.ts"

const cluster = "enbi"
const namespace = "enbi-example"

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

/** Says what begins, does it, and keeps how long it took. */
const makeStage = (times: Ref.Ref<ReadonlyArray<string>>) =>
  Effect.fnUntraced(function* <A, E, R>(title: string, self: Effect.Effect<A, E, R>) {
    yield* Console.log(`\n== ${title}`)
    const begin = yield* Clock.currentTimeMillis
    const result = yield* self
    const took = seconds((yield* Clock.currentTimeMillis) - begin)
    yield* Ref.update(times, (lines) => [...lines, `${took.padStart(9)}  ${title}`])
    return result
  })

// Without the internet every build would first wait for the cache's name to resolve.
const substituters = Effect.tryPromise((signal) => fetch("https://cache.nixos.org/nix-cache-info", { signal })).pipe(
  Effect.timeout("3 seconds"),
  Effect.map((response) => (response.ok ? "https://cache.nixos.org" : "")),
  Effect.orElseSucceed(() => "")
)

const States = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({
      kind: Schema.String,
      metadata: Schema.Struct({ name: Schema.String }),
      status: Schema.optionalKey(
        Schema.Struct({
          status: Schema.optionalKey(Schema.String),
          buildNode: Schema.optionalKey(Schema.String),
          phase: Schema.optionalKey(Schema.String),
          containerStatuses: Schema.optionalKey(
            Schema.Array(
              Schema.Struct({
                ready: Schema.Boolean,
                state: Schema.Struct({
                  waiting: Schema.optionalKey(Schema.Struct({ reason: Schema.String }))
                })
              })
            )
          )
        })
      )
    })
  )
})

const stateOf = ({ kind, metadata, status }: (typeof States.Type)["items"][number]): string => {
  const [container] = status?.containerStatuses ?? []
  const word =
    kind === "NixBuild"
      ? `${status?.status ?? "Pending"}${status?.buildNode === undefined ? "" : ` on ${status.buildNode}`}`
      : (container?.state.waiting?.reason ?? (container?.ready === true ? "Ready" : (status?.phase ?? "Pending")))
  return `${kind} ${metadata.name}: ${word}`
}

/** A failed build of an earlier start is not tried again by itself. */
const removeFailed = Effect.fnUntraced(function* (kubeconfig: string) {
  const path = '{range .items[?(@.status.status=="Failed")]}{.metadata.name} {end}'
  const names = yield* kubectl(kubeconfig, "get", "nixbuilds", "-n", namespace, "-o", `jsonpath=${path}`)
  if (names.trim() === "") return
  yield* kubectl(kubeconfig, "delete", "nixbuilds", "-n", namespace, ...names.trim().split(" "))
})

/** Prints what changes in the example until its Pod answers; the answer. */
const watchExample = Effect.fnUntraced(function* (kubeconfig: string) {
  const begin = yield* Clock.currentTimeMillis
  const shown = yield* Ref.make<ReadonlyArray<string>>([])
  const look = Effect.gen(function* () {
    const text = yield* kubectl(kubeconfig, "get", "pods,nixbuilds", "-n", namespace, "-o", "json")
    const { items } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(States))(text)
    const lines = items.map(stateOf)
    const before = yield* Ref.getAndSet(shown, lines)
    const at = seconds((yield* Clock.currentTimeMillis) - begin).padStart(9)
    yield* Effect.forEach(
      lines.filter((line) => !before.includes(line)),
      (line) => Console.log(`${at}  ${line}`)
    )
    const failed = lines.find((line) => /^NixBuild .*: Failed/.test(line))
    if (failed !== undefined) {
      return yield* new CommandFailed({ message: `${failed}. Why: kubectl describe nixbuilds -n ${namespace}` })
    }
    return lines.some((line) => /^Pod hello-.*: Ready$/.test(line))
  })
  yield* look.pipe(
    Effect.repeat({ until: (isReady) => isReady, schedule: Schedule.spaced("500 millis") }),
    Effect.timeoutOrElse({
      duration: "5 minutes",
      orElse: () =>
        Effect.fail(
          new CommandFailed({
            message: `The example is not ready after 5 minutes: kubectl describe pods -n ${namespace}`
          })
        )
    })
  )
  return yield* kubectl(kubeconfig, "get", "--raw", `/api/v1/namespaces/${namespace}/services/hello/proxy/`)
})

const program = Effect.gen(function* () {
  const begin = yield* Clock.currentTimeMillis
  const times = yield* Ref.make<ReadonlyArray<string>>([])
  const stage = makeStage(times)
  const kubeconfig = yield* stage("Docker, kind and the cluster", bringUpCluster(cluster))
  const images = yield* stage("The images of the functions and of the builder", buildImages)
  yield* stage("The images on the nodes", loadImages(cluster, images))
  yield* stage(
    "The functions",
    Effect.flatMap(substituters, (found) => installFunctions(kubeconfig, images, { SUBSTITUTERS: found }))
  )
  const answer = yield* stage(
    "The example: a Deployment whose image nobody has built",
    Effect.gen(function* () {
      yield* apply(kubeconfig, yield* manifests("examples", images))
      yield* removeFailed(kubeconfig)
      return yield* watchExample(kubeconfig)
    })
  )
  yield* forgetOlderImages(cluster, images)
  yield* Console.log(`\nThe example answers: ${answer.trim()}\n`)
  yield* Console.log((yield* Ref.get(times)).join("\n"))
  yield* Console.log(`${seconds((yield* Clock.currentTimeMillis) - begin).padStart(9)}  in all\n`)
  yield* Console.log(
    [
      "What to try next:",
      `  export KUBECONFIG=${kubeconfig}`,
      `  kubectl get nixbuilds -A`,
      `  kubectl describe nixbuilds -n ${namespace}`,
      "  kubectl explain nixbuild.spec",
      "  kubectl logs -n enbi-system deployment/enbi-functions",
      "  npm stop"
    ].join("\n")
  )
})

NodeRuntime.runMain(
  program.pipe(
    Effect.tapError((error) => Console.error(`\n${error.message}`)),
    Effect.provide(NodeServices.layer)
  ),
  { disableErrorReporting: true }
)
