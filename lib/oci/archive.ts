/**
 * Reads an image archive (a tar, plain or gzip) from its beginning to its end,
 * once, and finds the image in it, whatever the order of its entries: Docker's
 * form by manifest.json, OCI's by index.json. Names in the archive are only
 * ever looked up in a map; none becomes a path.
 */
import { Effect, Schema, Stream } from "effect"
import { Tar } from "effect/encoding"
import type { Blob, Blobs } from "./blobs.ts"
import { compressionOf, decompress } from "./compression.ts"
import { type Descriptor, Index, Limits, Manifest, maxEntries, mediaTypes } from "./image.ts"
import { imageTooLarge, notAnImage } from "./refusal.ts"
import type { Failure } from "./result.ts"

/** The image's parts, already in the layout's blobs, in the manifest's order. */
export interface Image {
  readonly config: Blob
  readonly layers: ReadonlyArray<Blob>
}

const DockerManifest = Schema.Array(Schema.Struct({ Config: Schema.String, Layers: Schema.Array(Schema.String) }))

type Entries = ReadonlyMap<string, Blob | Tar.EntryType>

/** Finds the one image in the archive's bytes, for `architecture` where it holds several. */
export const readArchive = Effect.fn("readArchive")(function* <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  options: { readonly blobs: Blobs; readonly head: Uint8Array; readonly architecture: string }
) {
  const entries = yield* readEntries(decompress(bytes, compressionOf(options.head)), options.blobs)
  if (entries.has("manifest.json")) return yield* dockerImage(entries, options.blobs)
  if (entries.has("index.json")) return yield* ociImage(entries, options)
  return yield* notAnImage(
    "The archive has neither a manifest.json (docker-archive) nor an index.json (OCI) in it: build it with dockerTools."
  )
})

const readEntries = Effect.fnUntraced(function* <E, R>(bytes: Stream.Stream<Uint8Array, E, R>, blobs: Blobs) {
  const { maxImageBytes } = yield* Limits
  const entries = new Map<string, Blob | Tar.EntryType>()
  let readBytes = 0
  yield* bytes.pipe(
    Stream.mapEffect((chunk) => {
      readBytes += chunk.length
      return readBytes > maxImageBytes
        ? Effect.fail(imageTooLarge(`The archive holds more than ${maxImageBytes} bytes: make the image smaller.`))
        : Effect.succeed(chunk)
    }),
    Stream.pipeThroughChannel(Tar.decode<E | Failure>()),
    Stream.runForEach(
      Effect.fnUntraced(function* ({ body, header }) {
        if (header.type === "Directory") return
        if (entries.size >= maxEntries) return yield* notAnImage(`The archive has more than ${maxEntries} files.`)
        const name = header.path.replace(/^(?:\.\/)+/u, "")
        entries.set(name, header.type === "File" ? yield* blobs.add(body) : header.type)
      })
    ),
    Effect.catchIf(Tar.isTarError, (error) => notAnImage(`The archive cannot be read: ${error.message}.`))
  )
  return entries
})

const dockerImage = Effect.fnUntraced(function* (entries: Entries, blobs: Blobs) {
  const name = "manifest.json"
  const manifest = yield* blobs.readJson({ name, blob: yield* find(entries, name) }, DockerManifest)
  const [image] = manifest
  if (image === undefined || manifest.length > 1) {
    return yield* notAnImage(`The archive holds ${manifest.length} images: a package must be exactly one.`)
  }
  const layers = yield* Effect.forEach(image.Layers, (layer) => find(entries, layer))
  return { config: yield* find(entries, image.Config), layers, configName: image.Config }
})

const ociImage = Effect.fnUntraced(function* (
  entries: Entries,
  { architecture, blobs }: { readonly blobs: Blobs; readonly architecture: string }
) {
  const findBlob = (digest: string) => find(entries, `blobs/${digest.replace(":", "/")}`, digest)
  const name = "index.json"
  const top = yield* blobs.readJson({ name, blob: yield* find(entries, name) }, Index)
  // An index in the index is how OCI archives carry one image for several platforms.
  const nested = yield* Effect.forEach(top.manifests, (descriptor) =>
    descriptor.mediaType === mediaTypes.index
      ? Effect.flatMap(findBlob(descriptor.digest), (blob) =>
          blobs.readJson({ name: "The image index", blob }, Index)
        ).pipe(Effect.map((index) => index.manifests))
      : Effect.succeed([descriptor])
  )
  const fits = ({ platform }: Descriptor) => platform === undefined || platform.architecture === architecture
  const all = nested.flat()
  const candidates = all.length > 1 ? all.filter(fits) : all
  const [chosen] = candidates
  if (chosen === undefined || candidates.length > 1) {
    return yield* notAnImage(
      `The archive holds ${candidates.length} images for ${architecture}: it must be exactly one.`
    )
  }
  const manifest = yield* blobs.readJson({ name: "The image manifest", blob: yield* findBlob(chosen.digest) }, Manifest)
  const layers = yield* Effect.forEach(manifest.layers, (layer) => findBlob(layer.digest))
  return { config: yield* findBlob(manifest.config.digest), layers, configName: manifest.config.digest }
})

const find = Effect.fnUntraced(function* (entries: Entries, name: string, digest?: string) {
  const entry = entries.get(name.replace(/^(?:\.\/)+/u, ""))
  if (entry === undefined) return yield* notAnImage(`The archive names ${name} but does not hold it.`)
  if (typeof entry === "string") return yield* notAnImage(`In the archive ${name} is a ${entry}, not a file.`)
  if (digest !== undefined && entry.digest !== digest) {
    return yield* notAnImage(`In the archive ${name} has the digest ${entry.digest}.`)
  }
  return entry
})
