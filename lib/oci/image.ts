/**
 * The OCI documents that make up an image, as far as enbi reads and writes
 * them, with the limits that keep foreign ones small.
 * Grammar: OCI image-spec 1.1, `descriptor.md`, `image-index.md`, `manifest.md`, `config.md`.
 */
import { Context, Schema } from "effect"
import { createHash } from "node:crypto"

/** `sha256:` and 64 digits, as in descriptors. */
export const Digest = Schema.String.check(Schema.isPattern(/^sha256:[0-9a-f]{64}$/u))

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd"
} as const

// Registries and containerd refuse manifests over 4 MiB; a larger JSON would only fill the memory.
export const maxJsonBytes = 4 * 1024 * 1024

// An image has at most 127 layers that a kernel can stack, and three files around each in Docker's older form.
export const maxEntries = 1000

/** What one image may take of a node. */
export const Limits = Context.Reference("enbi/lib/oci/Limits", {
  defaultValue: () => ({
    // A zstd archive of a megabyte can unpack to a hundred thousand: one image may not fill a node's disk.
    maxImageBytes: 64 * 1024 ** 3,
    // Nor all its inodes: an empty file is 512 bytes of an archive.
    maxImageFiles: 4_000_000,
    // What Docker lets an image have: more do not fit into the one page of options that mounts them.
    maxLayers: 127,
    // containerd and its CRI hold every image's configuration in memory.
    maxConfigBytes: 1024 ** 2
  })
})

const OurPlatform = Schema.Struct({
  os: Schema.String,
  architecture: Schema.String,
  variant: Schema.optionalKey(Schema.String)
})

const Plain = Schema.Struct({ mediaType: Schema.String, digest: Digest, size: Schema.Int })

/** The documents as `convert` writes them: no annotations, no URLs, nothing else that containerd would follow. */
export const OurIndex = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  mediaType: Schema.Literal(mediaTypes.index),
  manifests: Schema.Tuple([
    Schema.Struct({ ...Plain.fields, mediaType: Schema.Literal(mediaTypes.manifest), platform: OurPlatform })
  ])
})

/** Where index.json leads: to the one index that the tag will name. */
export const OurTop = Schema.Struct({
  ...OurIndex.fields,
  manifests: Schema.Tuple([Schema.Struct({ ...Plain.fields, mediaType: Schema.Literal(mediaTypes.index) })])
})

export const OurManifest = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  mediaType: Schema.Literal(mediaTypes.manifest),
  config: Schema.Struct({ ...Plain.fields, mediaType: Schema.Literal(mediaTypes.config) }),
  layers: Schema.Array(
    Schema.Struct({
      ...Plain.fields,
      mediaType: Schema.Literals([mediaTypes.layer, mediaTypes.layerGzip, mediaTypes.layerZstd])
    })
  )
})

// Node's hash and not Effect's Digest: that one takes only whole byte arrays, and layers are larger than memory.
export const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`

/** A blob's file name: the digest without its algorithm. */
export const hexOf = (digest: string): string => digest.slice("sha256:".length)
