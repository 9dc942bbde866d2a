/**
 * Opens a layout that `convert` made, to serve it. Its files belong to a build
 * that is not trusted and may still run, so everything is checked here again,
 * whatever the converter said, and exactly what was checked is served.
 *
 * | | checked | served from |
 * |---|---|---|
 * | index, manifest, configuration | when the layout is opened | memory |
 * | layers | while they are served | the file, its last bytes only when all is well |
 *
 * The folders on the way can be swapped for links after they were looked at, so
 * a path may lead to any file in this container that is called index.json or
 * by 64 hex digits. That is worth nothing to a build: a blob is given out
 * whole only if it has the digest that it was asked for by, and no message
 * says what is in a file. Its own image is all that a build can spoil so, with
 * one more thing that it may do: a FIFO put there between the look and the
 * opening makes its own import wait until the Job's deadline.
 *
 * containerd does not ask for layers that it already has, so a layer may be
 * listed without being here, as in any registry's manifest. Its digest is the
 * key to it, and only readers of its manifest know that: no status shows it.
 */
import { ByteSize, Effect, FileSystem, Option, Schema, Stream } from "effect"
import { layerMediaType } from "./compression.ts"
import { readConfig } from "./config.ts"
import { digestOf, hexOf, maxJsonBytes, mediaTypes, OurIndex, OurManifest, OurTop } from "./image.ts"
import { pairLayers } from "./layer.ts"
import { normalize } from "./platform.ts"

// What a client that reads slowly can make us hold.
const chunkBytes = 256 * 1024

/** The layout is not as `convert` wrote it, or is behind a symbolic link. */
export class LayoutError extends Schema.TaggedError<LayoutError>()("LayoutError", { message: Schema.String }) {}

interface Described {
  readonly digest: string
  readonly size: number
}

/** Reads the layout's documents; `directory` has to be absolute and without symbolic links. */
export const openLayout = Effect.fn("openLayout")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const pathOf = ({ digest }: Described) => `${directory}/blobs/sha256/${hexOf(digest)}`

  const openFile = Effect.fnUntraced(function* (path: string) {
    // Looking first, because opening a FIFO waits for its writer; looking again at what was opened.
    const parent = path.replace(/\/[^/]*$/u, "")
    if ((yield* fs.realPath(parent)) !== parent) return yield* refuse(`${parent} is behind a symbolic link`)
    const { type } = yield* fs.lstat(path)
    if (type !== "File") return yield* refuse(`${path} is a ${type}, not a file`)
    const file = yield* fs.open(path, { flag: "r", noFollow: true })
    const info = yield* file.stat
    if (info.type !== "File") return yield* refuse(`${path} is a ${info.type}, not a file`)
    return { file, sizeBytes: ByteSize.toNumberUnsafe(info.size) }
  })

  const read = Effect.fnUntraced(function* (path: string) {
    const { file, sizeBytes } = yield* openFile(path)
    if (sizeBytes > maxJsonBytes) return yield* refuse(`${path} has ${sizeBytes} bytes`)
    const bytes = yield* file.readAlloc(sizeBytes)
    return Option.getOrElse(bytes, () => new Uint8Array())
  }, Effect.scoped)

  const readBlob = Effect.fnUntraced(function* (blob: Described) {
    const bytes = yield* read(pathOf(blob))
    if (digestOf(bytes) !== blob.digest || bytes.length !== blob.size) {
      return yield* refuse(`${pathOf(blob)} is not what its digest and size say`)
    }
    return bytes
  })

  const index = (yield* decode(yield* read(`${directory}/index.json`), "index.json", OurTop)).manifests[0]
  const indexBytes = yield* readBlob(index)
  const manifest = (yield* decode(indexBytes, "The image index", OurIndex)).manifests[0]
  const manifestBytes = yield* readBlob(manifest)
  const { config, layers } = yield* decode(manifestBytes, "The image manifest", OurManifest)
  const configBytes = yield* readBlob(config)
  const configuration = yield* readConfig("The image's configuration", configBytes)
  const { rootfs } = configuration
  const named = normalize(configuration)
  const { architecture, os, variant = "" } = manifest.platform
  if (os !== named.os || architecture !== named.architecture || variant !== named.variant) {
    return yield* refuse("The image index names another platform than the configuration")
  }
  const contents = yield* pairLayers(
    layers.map(({ digest, mediaType }) => ({ digest, compression: compressionByMediaType[mediaType] })),
    rootfs.diff_ids
  )

  /** The layer's file, and how to read it; it has as many bytes as the manifest says. */
  const openLayer = Effect.fnUntraced(function* (layer: Described) {
    const { file, sizeBytes } = yield* openFile(pathOf(layer))
    if (sizeBytes !== layer.size) return yield* refuse(`${pathOf(layer)} is not what its size says`)
    return Stream.unfold(undefined, () =>
      Effect.map(
        file.readAlloc(chunkBytes),
        Option.match({ onNone: () => undefined, onSome: (bytes) => [bytes, undefined] as const })
      )
    )
  })

  return {
    index,
    manifest,
    config,
    layers,
    /** What the layers must hold, each once. */
    contents,
    documents: [
      { ...index, bytes: indexBytes },
      { ...manifest, bytes: manifestBytes },
      { ...config, bytes: configBytes }
    ],
    openLayer
  }
})

export type Layout = Effect.Success<ReturnType<typeof openLayout>>

const compressionByMediaType = {
  [mediaTypes.layer]: "none",
  [mediaTypes.layerGzip]: "gzip",
  [mediaTypes.layerZstd]: "zstd"
} as const satisfies Record<(typeof layerMediaType)[keyof typeof layerMediaType], keyof typeof layerMediaType>

/**
 * The document in `bytes`. It must be as `JSON.stringify` writes it, because Go
 * merges two equal keys where we take the last, and takes others for ours that
 * differ in case.
 */
const decode = Effect.fnUntraced(function* <A>(bytes: Uint8Array, name: string, schema: Schema.Codec<A, unknown>) {
  const text = new TextDecoder().decode(bytes)
  return yield* decodeJson(text).pipe(
    Effect.filterOrFail((value) => JSON.stringify(value) === text),
    Effect.flatMap((value) => Schema.decodeUnknownEffect(schema, { onExcessProperty: "error" })(value)),
    // A parser's own message quotes what it read, which need not be the build's.
    Effect.catch(() => refuse(`${name} is not as the build wrote it`))
  )
})

const decodeJson = Schema.decodeEffect(Schema.fromJsonString(Schema.Json))

const refuse = (message: string) => Effect.fail(new LayoutError({ message }))
