/** What `kubectl apply -k` of each folder would apply. */
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { parse, parseAllDocuments } from "yaml"
import { output } from "../../tools/command.ts"

const root = new URL("../../", import.meta.url)

export const folders = [
  "embedded",
  "knative",
  "eventing",
  "without-serving",
  "examples/big-cluster",
  "examples/oidc",
  "examples/own-registry"
] as const
export type Folder = (typeof folders)[number]

const documentsOf = (text: string): ReadonlyArray<unknown> => parseAllDocuments(text).map((document) => document.toJS())

const Kustomization = Schema.Struct({ resources: Schema.Array(Schema.String) })

const readFolder: (
  folder: string
) => Effect.Effect<ReadonlyArray<unknown>, unknown, FileSystem.FileSystem | Path.Path> = Effect.fnUntraced(
  function* (folder) {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const text = yield* files.readFileString(path.join(folder, "kustomization.yaml"))
    const { resources } = yield* Schema.decodeUnknownEffect(Kustomization)(parse(text))
    const all = yield* Effect.forEach(resources, (resource) => {
      const at = path.join(folder, resource)
      return resource.endsWith(".yaml") ? Effect.map(files.readFileString(at), documentsOf) : readFolder(at)
    })
    return all.flat()
  }
)

const run = <A>(effect: Effect.Effect<A, unknown, NodeServices.NodeServices>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, NodeServices.layer))

const pathOf = Effect.fnUntraced(function* (folder: Folder) {
  const path = yield* Path.Path
  return yield* path.fromFileUrl(new URL(folder, root))
})

/** What a folder's kustomization names, and what that names, as it stands in the files. */
export const filesOf = (folder: Folder) => run(Effect.flatMap(pathOf(folder), readFolder))

/** The machine's own, or the one that kind/tools.sh took out of a node image. */
const findKubectl = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { ENBI_CACHE, HOME = "", PATH = "" } = process.env
  const places = [...PATH.split(":"), path.join(ENBI_CACHE ?? path.join(HOME, ".cache/enbi"), "bin")]
  return yield* Effect.findFirst(
    places.map((place) => path.join(place, "kubectl")),
    (file) => Effect.orElseSucceed(files.exists(file), () => false)
  )
})

const kubectl = await run(findKubectl)

/** Without kubectl nothing can be built, and then only the files are checked. */
export const canBuild = Option.isSome(kubectl)

const build = (folder: Folder) =>
  run(
    Effect.gen(function* () {
      if (Option.isNone(kubectl)) return []
      return documentsOf(yield* output({ command: kubectl.value, args: ["kustomize", yield* pathOf(folder)] }))
    })
  )

/** Each folder's objects, with the patches of its kustomization. */
export const built: Readonly<Record<Folder, ReadonlyArray<unknown>>> = {
  embedded: await build("embedded"),
  knative: await build("knative"),
  eventing: await build("eventing"),
  "without-serving": await build("without-serving"),
  "examples/big-cluster": await build("examples/big-cluster"),
  "examples/oidc": await build("examples/oidc"),
  "examples/own-registry": await build("examples/own-registry")
}
