/** A registry with a few NixImages, over a folder as CNCF Distribution fills it, and a client that sends what it is told to. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ConfigProvider, Deferred, Effect, FileSystem, Layer, Queue, Stream } from "effect"
import { HttpServer } from "effect/http"
import type { IncomingHttpHeaders } from "node:http"
import { createServer, request, type Server } from "node:http"
import { registry } from "../../functions/image-registry/registry.ts"
import { type Data, type NixImage, nixImages, type Status, type SystemStatus } from "../../lib/api/niximage.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { type Change, readChange } from "../../lib/kubernetes/watch.ts"
import { digestOf, hexOf, mediaTypes } from "../../lib/oci/image.ts"

interface Given {
  readonly name: string
  readonly namespace?: string
  readonly data?: Partial<Data>
  readonly generation?: number
  readonly metadata?: Partial<NixImage["metadata"]>
  readonly status?: Status
}

let version = 0

/** As the API server has it. */
export const nixImage = ({
  data,
  generation = 1,
  metadata,
  name,
  namespace = "apps",
  status = {}
}: Given): NixImage => {
  version += 1
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      resourceVersion: `${version}`,
      generation,
      creationTimestamp: "2026-11-30T10:00:00Z",
      ...metadata
    },
    data: { tag: "v1", contents: ["jq"], ...data },
    status: { observedGeneration: 1, ...status }
  }
}

export const built = (digest: string, system: SystemStatus["system"] = "x86_64-linux"): SystemStatus => ({
  system,
  build: `${system}-build`,
  status: "Built",
  digest
})

export const ready = (message: string): Required<Pick<Status, "conditions">> => ({
  conditions: [
    {
      type: "Ready",
      status: "False",
      reason: "Pending",
      message,
      observedGeneration: 1,
      lastTransitionTime: "2026-11-30T10:00:00Z"
    }
  ]
})

export const stalled: Status["conditions"] = [
  {
    type: "Stalled",
    status: "True",
    reason: "AttributeMissing",
    message: "The package set has no jqq.",
    observedGeneration: 1,
    lastTransitionTime: "2026-11-30T10:00:00Z"
  }
]

/** The blobs as Distribution keeps them. */
export const makeFiles = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const root = yield* files.makeTempDirectoryScoped({ prefix: "registry-" })
  const folderOf = (digest: string) => {
    const hex = hexOf(digest)
    return `${root}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}`
  }
  const pathOf = (digest: string) => `${folderOf(digest)}/data`
  const keep = Effect.fnUntraced(function* (bytes: Uint8Array) {
    const digest = digestOf(bytes)
    yield* files.makeDirectory(folderOf(digest), { recursive: true })
    yield* files.writeFile(pathOf(digest), bytes)
    return { digest, size: bytes.length }
  })
  const keepJson = (value: unknown) => keep(new TextEncoder().encode(JSON.stringify(value)))

  /** An image for one architecture, as a build of ours pushes it. */
  const keepImage = Effect.fnUntraced(function* (architecture: string, layers: ReadonlyArray<Uint8Array>) {
    const config = yield* keepJson({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: [] } })
    const kept = yield* Effect.forEach(layers, keep)
    const manifest = yield* keepJson({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...config },
      layers: kept.map((layer) => ({ mediaType: mediaTypes.layer, ...layer }))
    })
    const described = { mediaType: mediaTypes.manifest, ...manifest, platform: { architecture, os: "linux" } }
    const index = yield* keepJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [described] })
    return { index, manifest, config, layers: kept, described }
  })
  return { root, pathOf, keep, keepImage }
})
export type Files = Effect.Success<typeof makeFiles>

/** NixImages, and a watch of them that has told of each change when `tell` is back. */
export const makeNixImages = (items: ReadonlyArray<NixImage> | undefined) =>
  Effect.map(
    Queue.unbounded<{ readonly change: Change<unknown>; readonly done: Deferred.Deferred<void> }>(),
    (queue) => {
      let before = Deferred.makeUnsafe<void>()
      // A stream asks for the next change when it is done with the one before.
      const next = Effect.gen(function* () {
        yield* Deferred.succeed(before, undefined)
        const { change, done } = yield* Queue.take(queue)
        before = done
        return change
      })
      const listed =
        items === undefined
          ? Stream.never
          : Stream.succeed<Change<unknown>>({ _tag: "Listed", items, resourceVersion: `${version}` })
      const tell = (_tag: "ADDED" | "MODIFIED" | "DELETED", object: NixImage) =>
        Effect.suspend(() => {
          const done = Deferred.makeUnsafe<void>()
          Queue.offerUnsafe(queue, { change: { _tag, object }, done })
          return Deferred.await(done)
        })
      const api = KubernetesApi.of({
        request: () => Effect.die("the registry asks for nothing"),
        list: () => Effect.die("the registry lists nothing"),
        follow: (path, _, read) => {
          if (!path.endsWith(`/${nixImages.plural}`)) return Stream.die(`the registry watches ${path}`)
          return Stream.concat(listed, Stream.fromEffectRepeat(next)).pipe(Stream.map(readChange(read)))
        }
      })
      return { api, tell }
    }
  )

export interface Asked {
  readonly method?: string
  /** As it is sent. */
  readonly path: string
  readonly headers?: Record<string, string>
}

export interface Answer {
  readonly status: number
  readonly phrase: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Sends a request as it is: nothing of its path is tidied up. */
export const askAt =
  (port: number) =>
  ({ headers = {}, method = "GET", path }: Asked) =>
    Effect.callback<Answer, Error>((resume) => {
      const sent = request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", (error) => resume(Effect.fail(error)))
        response.on("end", () =>
          resume(
            Effect.succeed({
              status: response.statusCode ?? 0,
              phrase: response.statusMessage ?? "",
              headers: response.headers,
              body: Buffer.concat(chunks)
            })
          )
        )
      })
      sent.on("error", (error) => resume(Effect.fail(error)))
      sent.end()
      return Effect.sync(() => sent.destroy())
    })

export const portOf = Effect.map(HttpServer.HttpServer, ({ address }) =>
  address._tag === "UnixPathAddress" ? 0 : address.port
)

interface Served {
  readonly files: Files
  /** Undefined: nobody has told of any yet. */
  readonly items: ReadonlyArray<NixImage> | undefined
  readonly settings?: Record<string, string>
  readonly server?: () => Server
}

/** A registry that serves them for as long as the scope is open. */
export const serve = Effect.fnUntraced(function* ({ files, items, server = createServer, settings = {} }: Served) {
  const { api, tell } = yield* makeNixImages(items)
  const services = yield* Layer.build(
    registry.pipe(
      Layer.provideMerge(NodeHttpServer.layerServer(() => server(), { port: 0, host: "127.0.0.1" })),
      Layer.provide(Layer.succeed(KubernetesApi, api)),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ REGISTRY_STORAGE: files.root, ...settings })))
    )
  )
  const port = yield* Effect.provide(portOf, services)
  return { port, ask: askAt(port), tell }
})
