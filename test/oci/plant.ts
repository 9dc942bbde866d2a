/** Layouts as a build would plant them for the importer, past the converter and all its checks. */
import { Effect, FileSystem } from "effect"
import { layerMediaType } from "../../lib/oci/compression.ts"
import { mediaTypes } from "../../lib/oci/image.ts"
import { digestOf } from "./archives.ts"

/** What a layout is made of; what is left out is as the converter writes it. */
export interface Planted {
  readonly layers: ReadonlyArray<Uint8Array>
  readonly mediaType?: string
  readonly diffIds?: ReadonlyArray<string>
  readonly config?: object
  readonly manifest?: object
  readonly layerMore?: object
  readonly index?: object
  readonly indexText?: (text: string) => string
}

/** Writes a layout as a build would that does not use our converter. */
export const plant = Effect.fnUntraced(function* (directory: string, planted: Planted) {
  const fs = yield* FileSystem.FileSystem
  const blobs = `${directory}/blobs/sha256`
  yield* fs.makeDirectory(blobs, { recursive: true })
  const add = Effect.fnUntraced(function* (mediaType: string, bytes: Uint8Array) {
    yield* fs.writeFile(`${blobs}/${digestOf(bytes).slice(7)}`, bytes)
    return { mediaType, digest: digestOf(bytes), size: bytes.length }
  })
  const addJson = (mediaType: string, value: object, change = (text: string) => text) =>
    add(mediaType, Buffer.from(change(JSON.stringify(value))))
  const diff_ids = planted.diffIds ?? planted.layers.map(digestOf)
  const config = yield* addJson(mediaTypes.config, {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids },
    config: planted.config ?? {}
  })
  const layers = yield* Effect.forEach(planted.layers, (layer) => add(planted.mediaType ?? layerMediaType.none, layer))
  const manifest = yield* addJson(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: layers.map((layer) => ({ ...layer, ...planted.layerMore })),
    ...planted.manifest
  })
  const platform = { os: "linux", architecture: "amd64" }
  const top = { schemaVersion: 2, mediaType: mediaTypes.index }
  const manifests = [{ ...manifest, platform }]
  const index = yield* addJson(mediaTypes.index, { ...top, manifests, ...planted.index }, planted.indexText)
  yield* fs.writeFileString(`${directory}/index.json`, JSON.stringify({ ...top, manifests: [index] }))
  return { blobs, digest: index.digest, layers }
})
