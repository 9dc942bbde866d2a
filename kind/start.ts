/**
 * `npm start`: a kind cluster named enbi with the functions in it, and the
 * first example, from ImagePullBackOff to an answer out of its image, and then
 * the second, a Job with an image of packages that the cluster's registry
 * serves. Everything that is there already is used again.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, Console, Effect, Path, Ref } from "effect"
import { buildImages } from "../images/images.ts"
import { apply, bringUpCluster, forgetOlderImages, installFunctions, kubectl, loadImages, manifests } from "./deploy.ts"
import { seconds, watchExample } from "./watch.ts"

const cluster = "enbi"
const namespace = "enbi-example"

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

// Without the internet every build would first wait for the cache's name to resolve, and nixpkgs is out of reach: the
// example brings a package set of its own.
const settings = Effect.tryPromise((signal) => fetch("https://cache.nixos.org/nix-cache-info", { signal })).pipe(
  Effect.timeout("3 seconds"),
  Effect.map((response) => response.ok),
  Effect.orElseSucceed(() => false),
  Effect.map((isOnline): Readonly<Record<string, string>> =>
    isOnline
      ? { SUBSTITUTERS: "https://cache.nixos.org" }
      : { SUBSTITUTERS: "", PACKAGE_SET: `http://flakes.${namespace}.svc.cluster.local/packages.tar.gz` }
  )
)

/** A failed build of an earlier start is not tried again by itself. */
const removeFailed = Effect.fnUntraced(function* (kubeconfig: string) {
  const path = '{range .items[?(@.status.status=="Failed")]}{.metadata.name} {end}'
  const names = yield* kubectl(kubeconfig, "get", "nixbuilds", "-n", namespace, "-o", `jsonpath=${path}`)
  if (names.trim() === "") return
  yield* kubectl(kubeconfig, "delete", "nixbuilds", "-n", namespace, ...names.trim().split(" "))
})

const program = Effect.gen(function* () {
  const begin = yield* Clock.currentTimeMillis
  const times = yield* Ref.make<ReadonlyArray<string>>([])
  const stage = makeStage(times)
  const kubeconfig = yield* stage("Docker, kind and the cluster", bringUpCluster(cluster))
  const images = yield* stage("The images of the functions, the builder and the registry", buildImages)
  yield* stage("The images on the nodes", loadImages(cluster, images))
  yield* stage(
    "The functions",
    Effect.flatMap(settings, (found) => installFunctions(kubeconfig, images, found))
  )
  const answer = yield* stage(
    "The first example: a Deployment whose image nobody has built",
    Effect.gen(function* () {
      yield* apply(kubeconfig, yield* manifests("examples", images))
      yield* removeFailed(kubeconfig)
      yield* watchExample({ kubeconfig, namespace, end: /^Pod hello-.*: Ready$/ })
      return yield* kubectl(kubeconfig, "get", "--raw", `/api/v1/namespaces/${namespace}/services/hello/proxy/`)
    })
  )
  const second = yield* stage(
    "The second example: a Job with an image of three packages",
    Effect.gen(function* () {
      const path = yield* Path.Path
      for (const name of ["niximage", "curl-and-jq"]) {
        const file = yield* path.fromFileUrl(new URL(`../examples/${name}.yaml`, import.meta.url))
        yield* kubectl(kubeconfig, "apply", "-n", namespace, "-f", file)
      }
      yield* watchExample({ kubeconfig, namespace, end: /^Pod curl-and-jq-.*: Succeeded$/ })
      return yield* kubectl(kubeconfig, "logs", "-n", namespace, "job/curl-and-jq")
    })
  )
  yield* forgetOlderImages(cluster, images)
  yield* Console.log(`\nThe first example answers: ${answer.trim()}`)
  yield* Console.log(`The second asks it: ${second.trim()}\n`)
  yield* Console.log((yield* Ref.get(times)).join("\n"))
  yield* Console.log(`${seconds((yield* Clock.currentTimeMillis) - begin).padStart(9)}  in all\n`)
  yield* Console.log(
    [
      "What to try next:",
      `  export KUBECONFIG=${kubeconfig}`,
      `  kubectl get nixbuilds,niximages -A`,
      `  kubectl describe nixbuilds -n ${namespace}`,
      "  kubectl explain nixbuild.spec",
      "  kubectl explain niximage.data",
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
