/**
 * Turns an image archive into an OCI layout that the importer can serve: the
 * same archive gives the same bytes. What a tag will name is the layout's one
 * image index, a blob as everything else, and index.json points at it:
 *
 *     index.json ─▶ index (names the platform) ─▶ manifest ─▶ config, layers
 *
 * Grammar: OCI image-spec 1.1, `image-layout.md`.
 */
import { Effect, FileSystem } from "effect"
import { readArchive, type Wanted } from "./archive.ts"
import { type Blob, type Blobs, makeBlobs } from "./blobs.ts"
import { compressionOf, layerMediaType } from "./compression.ts"
import { readConfig } from "./config.ts"
import { mediaTypes } from "./image.ts"
import { makeInspector, pairLayers } from "./layer.ts"
import { normalize } from "./platform.ts"

/** Where things are, and the architecture that the image must have. */
export interface Conversion {
  readonly archive: string
  readonly layout: string
  readonly architecture: string
  /** Where the links of an archive that is a folder may lead beside the folder itself. */
  readonly store?: string
}

/** Writes the layout and returns the digest that its tag refers to. */
export const convert = Effect.fn("convert")(function* ({
  architecture,
  archive,
  layout,
  store = "/nix/store"
}: Conversion) {
  const fs = yield* FileSystem.FileSystem
  // Beside the layout, so that the rename is one step: a crash leaves no half layout.
  const incoming = layout.replace(/[^/]*$/u, (name) => `.incoming-${name}`)
  yield* fs.remove(incoming, { recursive: true, force: true })
  const index = yield* write(incoming, { archive, architecture, store }).pipe(
    Effect.onError(() => Effect.ignore(fs.remove(incoming, { recursive: true, force: true })))
  )
  yield* fs.remove(layout, { recursive: true, force: true })
  yield* fs.rename(incoming, layout)
  return index.digest
})

const write = Effect.fnUntraced(function* (directory: string, wanted: Omit<Wanted, "blobs">) {
  const fs = yield* FileSystem.FileSystem
  const blobs = yield* makeBlobs(`${directory}/blobs/sha256`)
  const image = yield* readArchive({ ...wanted, blobs })
  const name = `The configuration ${image.configName}`
  const config = yield* readConfig(name, yield* blobs.read({ name, blob: image.config }))
  yield* checkLayers(image.layers, config.rootfs.diff_ids, blobs)

  const manifest = yield* blobs.addJson({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(mediaTypes.config, image.config),
    layers: image.layers.map((layer) => describe(layerMediaType[compressionOf(layer.head)], layer))
  })
  const { architecture, os, variant } = normalize(config)
  const platform = { os, architecture, ...(variant === "" ? {} : { variant }) }
  const index = yield* blobs.addJson({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ ...describe(mediaTypes.manifest, manifest), platform }]
  })
  yield* blobs.keep([index, manifest, image.config, ...image.layers])
  yield* fs.writeFileString(`${directory}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }))
  yield* fs.writeFileString(
    `${directory}/index.json`,
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [describe(mediaTypes.index, index)] })
  )
  return index
})

/** The layers are inspected again when the layout is served; here a bad image is refused before any of it is used. */
const checkLayers = Effect.fnUntraced(function* (
  layers: ReadonlyArray<Blob>,
  diffIds: ReadonlyArray<string>,
  blobs: Blobs
) {
  const described = layers.map(({ digest, head }) => ({ digest, compression: compressionOf(head) }))
  const inspect = yield* makeInspector({ unpacking: true })
  yield* Effect.forEach(yield* pairLayers(described, diffIds), (layer) => inspect(layer, blobs.stream(layer)), {
    discard: true
  })
})

const describe = (mediaType: string, { digest, size }: Blob) => ({ mediaType, digest, size })
