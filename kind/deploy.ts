/** A kind cluster with this checkout's functions in it: what `npm start` and the cluster tests both begin with. */
import { Effect, Path } from "effect"
import { parseAllDocuments } from "yaml"
import { output } from "../tools/command.ts"
import type { Images } from "../images/images.ts"
import { version } from "../lib/version.ts"

const root = new URL("../", import.meta.url)

const script = Effect.fnUntraced(function* (name: string, ...args: ReadonlyArray<string>) {
  const path = yield* Path.Path
  const file = yield* path.fromFileUrl(new URL(name, root))
  return (yield* output({ command: "bash", args: [file, ...args] })).trim()
})

/** The path of the cluster's kubeconfig. */
export const bringUpCluster = (name: string) => script("kind/cluster.sh", "up", name)

/** Every node pulls from the image registry, so the proxy to it runs on the control plane too. */
export const loadImages = Effect.fnUntraced(function* (cluster: string, images: Images) {
  const { builder, distribution, functions, proxy } = images
  yield* script("images/load.sh", cluster, "worker", functions, builder, proxy, distribution)
  yield* script("images/load.sh", cluster, "control-plane", proxy)
})

/** Once nothing runs an older version any more. */
export const forgetOlderImages = (cluster: string, { builder, distribution, functions, proxy }: Images) =>
  script("images/forget.sh", cluster, functions, builder, proxy, distribution)

export const kubectl = (kubeconfig: string, ...args: ReadonlyArray<string>) =>
  output({ command: "kubectl", args, env: { KUBECONFIG: kubeconfig } })

/** As `registry/` names it; a cluster here can't always pull it. */
const published = /docker\.io\/library\/registry:[\w.]+/g

/**
 * The manifests of a folder with this checkout's images in them ("$&" leaves
 * what is there), and plain http allowed: flakes come from inside the cluster.
 */
export const manifests = Effect.fnUntraced(function* (
  folder: string,
  { builder, distribution, functions, proxy }: Pick<Images, "builder" | "functions"> & Partial<Images>
) {
  const path = yield* Path.Path
  const text = yield* output({
    command: "kubectl",
    args: ["kustomize", yield* path.fromFileUrl(new URL(folder, root))]
  })
  return parseAllDocuments(text)
    .filter((document) => document.getIn(["metadata", "name"]) !== "enbi-plain-http")
    .map(String)
    .join("---\n")
    .replaceAll(`enbi-functions:${version}`, functions)
    .replaceAll(`enbi-builder:${version}`, builder)
    .replaceAll(`enbi-proxy:${version}`, proxy ?? "$&")
    .replaceAll(published, distribution ?? "$&")
})

export const apply = (kubeconfig: string, text: string) =>
  output({
    command: "kubectl",
    args: ["apply", "--server-side", "--force-conflicts", "-f", "-"],
    env: { KUBECONFIG: kubeconfig },
    input: text
  })

/** Applies `embedded/`, as `kind/` has it, with these settings and waits until the functions have read the cluster. */
export const installFunctions = Effect.fn("installFunctions")(function* (
  kubeconfig: string,
  images: Images,
  settings: Readonly<Record<string, string>>
) {
  yield* apply(kubeconfig, yield* manifests("kind", images))
  const env = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  yield* kubectl(kubeconfig, "set", "env", "-n", "enbi-system", "deployment/enbi-functions", ...env)
  for (const workload of ["deployment/enbi-functions", "deployment/image-registry", "daemonset/image-registry-proxy"]) {
    yield* kubectl(kubeconfig, "rollout", "status", "-n", "enbi-system", workload, "--timeout=10m")
  }
})
