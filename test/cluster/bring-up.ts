/**
 * The cluster of the tests and of `npm run bench`: kind, this checkout's
 * functions, and a Pod that serves the flakes of `test/flakes`. It is kept for
 * the next run; what the last run left in it is removed.
 */
import { Effect, FileSystem, Scope } from "effect"
import {
  apply,
  bringUpCluster,
  forgetOlderImages,
  installFunctions,
  kubectl,
  loadImages,
  manifests
} from "../../kind/deploy.ts"
import { hold } from "../../jobs/cache/locks.ts"
import { output } from "../../tools/command.ts"
import { buildImages } from "../../images/images.ts"
import { cluster, workers } from "./nodes.ts"
import { flakesUrl } from "./objects.ts"
import { patienceFlag } from "./waits.ts"

// What may pass is tried again within seconds, so that a test can wait for the end of it; flakes come from inside the
// cluster, and the address of the server is in the closed ranges.
const settings = {
  SUBSTITUTERS: "",
  RETRY_DELAYS: "5 5 5",
  BUILD_EGRESS: "open",
  PACKAGE_SET: `${flakesUrl}packages.tar.gz`
}

export const bringUp = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  // Two runs at once would take the cluster from each other. Nobody closes the scope: the lock ends with this process.
  const lock = { path: `/tmp/${cluster}.lock`, mode: "exclusive", waitingFor: `another run on ${cluster}` } as const
  yield* hold(lock).pipe(Scope.provide(yield* Scope.make()))
  const kubeconfig = yield* bringUpCluster(cluster)
  const images = yield* buildImages
  yield* loadImages(cluster, images)
  // Of a run that was killed in its middle: a namespace that cannot go, and a policy that refuses the tests' flakes.
  const held = ["configmap", "strict", "-n", "ending", "-p", '{"metadata":{"finalizers":null}}']
  yield* Effect.ignore(kubectl(kubeconfig, "patch", ...held))
  yield* kubectl(kubeconfig, "delete", "-f", "system/plain-http-policy.yaml", "--ignore-not-found")
  for (const kind of [
    "validatingwebhookconfiguration",
    "mutatingwebhookconfiguration",
    "validatingadmissionpolicybinding",
    "validatingadmissionpolicy"
  ]) {
    yield* kubectl(kubeconfig, "delete", kind, "-l", "enbi.hrzn.ee/test")
  }
  yield* kubectl(kubeconfig, "delete", "namespace", "-l", "enbi.hrzn.ee/test", "--wait", patienceFlag)
  const ours = ["-l", "app.kubernetes.io/managed-by=enbi-functions"]
  yield* kubectl(kubeconfig, "delete", "persistentvolume", ...ours)
  // Their removal has begun, and nobody would look at its Jobs any more.
  yield* kubectl(kubeconfig, "delete", "job", "-n", "enbi-system", ...ours)
  yield* kubectl(kubeconfig, "delete", "lease", "-n", "enbi-system", ...ours)
  // An image that an earlier run built would be found by a Pod that is to wait for it.
  for (const worker of workers) {
    const clean =
      "ctr -n k8s.io images ls -q | grep -e ^registry.invalid/ -e ^127.0.0.1:5080/ | xargs -r ctr -n k8s.io images rm --sync; rm -rf /var/lib/enbi"
    yield* output({ command: "docker", args: ["exec", worker, "sh", "-c", clean] })
  }
  yield* installFunctions(kubeconfig, images, settings)
  const read = (name: string) => files.readFileString(`test/flakes/${name}`)
  const configMap = (name: string, data: Readonly<Record<string, string>>) =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "enbi-flakes" }, data })
  const packages = yield* Effect.forEach(["flake.nix", "default.nix", "layers.sh"], (name) =>
    Effect.map(files.readFileString(`examples/packages/${name}`), (text) => [name, text] as const)
  )
  const served = [
    configMap("packages", Object.fromEntries(packages)),
    configMap("flakes", {
      "assemble.sh": yield* read("assemble.sh"),
      "flake.nix": yield* read("images/flake.nix"),
      "mkimage.sh": yield* read("images/mkimage.sh"),
      "bad-syntax.nix": yield* read("bad-syntax/flake.nix"),
      "path-input.nix": yield* read("path-input/flake.nix"),
      "redirect.sh": yield* read("redirect.sh")
    })
  ]
  const manifest = yield* manifests("test/cluster/flakes", images)
  yield* apply(kubeconfig, [manifest, ...served].join("\n---\n"))
  yield* kubectl(kubeconfig, "rollout", "restart", "-n", "enbi-flakes", "deployment/flakes")
  yield* kubectl(kubeconfig, "rollout", "status", "-n", "enbi-flakes", "deployment/flakes", patienceFlag)
  yield* forgetOlderImages(cluster, images)
  return { kubeconfig, builderImage: images.builder }
})
