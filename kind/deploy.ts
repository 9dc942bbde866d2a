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

export const loadImages = (cluster: string, { builder, functions }: Images) =>
  script("images/load.sh", cluster, functions, builder)

/** Once nothing runs an older version any more. */
export const forgetOlderImages = (cluster: string, { builder, functions }: Images) =>
  script("images/forget.sh", cluster, functions, builder)

export const kubectl = (kubeconfig: string, ...args: ReadonlyArray<string>) =>
  output({ command: "kubectl", args, env: { KUBECONFIG: kubeconfig } })

/** The manifests of a folder with this checkout's images in them, and plain http allowed: flakes come from inside the cluster. */
export const manifests = Effect.fnUntraced(function* (folder: string, { builder, functions }: Images) {
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
})

export const apply = (kubeconfig: string, text: string) =>
  output({
    command: "kubectl",
    args: ["apply", "--server-side", "--force-conflicts", "-f", "-"],
    env: { KUBECONFIG: kubeconfig },
    input: text
  })

/** Applies `embedded/` with these settings and waits until the functions have read the cluster. */
export const installFunctions = Effect.fn("installFunctions")(function* (
  kubeconfig: string,
  images: Images,
  settings: Readonly<Record<string, string>>
) {
  yield* apply(kubeconfig, yield* manifests("embedded", images))
  const env = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  yield* kubectl(kubeconfig, "set", "env", "-n", "enbi-system", "deployment/enbi-functions", ...env)
  yield* kubectl(kubeconfig, "rollout", "status", "-n", "enbi-system", "deployment/enbi-functions", "--timeout=10m")
})
