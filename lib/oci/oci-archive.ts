/**
 * OCI's form of an image archive: index.json leads to manifests or to further
 * indexes, by digest. OCI's media types and Docker's are the same here.
 * Rules: containerd, core/images/image.go and core/images/handlers.go.
 * Grammar: OCI image-spec 1.1, `image-layout.md`.
 */
import { Effect, type PlatformError } from "effect"
import type { Image } from "./archive.ts"
import type { Blobs } from "./blobs.ts"
import { compressionOf, layerMediaType } from "./compression.ts"
import {
  configPlatform,
  type Descriptor,
  type Document,
  index as indexDocument,
  kind,
  manifest as manifestDocument,
  type Platform
} from "./documents.ts"
import type { Entries } from "./entries.ts"
import { mediaTypes } from "./image.ts"
import { isConfig, isIndex, isLayer, isManifest, packingOf } from "./media-types.ts"
import { rankOf } from "./platform.ts"
import { readDocument } from "./read-document.ts"
import { notAnImage, type ImageError } from "./image-error.ts"

// As many as containerd follows.
const maxReferences = 10_000

// The way from index.json to a manifest is one index or two; more would only use up the stack.
const maxDepth = 20

/** The images that index.json leads to, for `architecture` where an index below it offers several. */
export const readOciArchive = Effect.fnUntraced(function* (entries: Entries, blobs: Blobs, architecture: string) {
  const file = entries.files.get("index.json")
  if (file === undefined) return yield* notAnImage("The archive has an oci-layout but no index.json.")
  const bytes = yield* blobs.read({ name: "index.json", blob: file })
  const top = yield* readDocument("index.json", bytes, indexDocument)
  const { check, resolve } = makeReader(entries, blobs, architecture)
  const offered = top.manifests.filter(isOffered(architecture))
  yield* Effect.forEach(offered, (descriptor) => check(descriptor, 0), { discard: true })
  const images = yield* Effect.forEach(
    offered.filter(({ mediaType }) => isIndex(mediaType) || isManifest(mediaType)),
    resolve
  )
  return {
    images: images.flatMap(({ image }) => image ?? []),
    elsewhere: [
      ...platformsOf(top.manifests.filter((descriptor) => !offered.includes(descriptor))),
      ...images.flatMap(({ elsewhere }) => elsewhere)
    ]
  }
})

const makeReader = (entries: Entries, blobs: Blobs, architecture: string) => {
  let references = 0

  const read = Effect.fnUntraced(function* <A>({ digest, mediaType }: Descriptor, document: Document<A>) {
    const name = `The ${isIndex(mediaType) ? "image index" : "image manifest"} ${digest.slice(0, 100)}`
    const bytes = yield* blobs.read({ name, blob: yield* find(entries, digest) })
    const { config, fsLayers, layers, manifests, mediaType: own } = yield* readDocument(name, bytes, kind)
    if (fsLayers) return yield* notAnImage(`${name} is of Docker's schema 1, which containerd no longer reads.`)
    const isOther = isIndex(mediaType) ? config || layers || isManifest(own) : manifests || isIndex(own)
    if (isOther) return yield* notAnImage(`${name} is not of the kind that the mediaType leading to it says.`)
    return yield* readDocument(name, bytes, document)
  })

  /** containerd reads all that is for the platform, or may be, before it takes anything. */
  const check = (
    descriptor: Descriptor,
    depth: number
  ): Effect.Effect<void, ImageError | PlatformError.PlatformError> =>
    Effect.gen(function* () {
      references += 1
      if (references > maxReferences || depth > maxDepth) {
        return yield* notAnImage("The archive's indexes lead to too many manifests, or in a circle.")
      }
      if (isManifest(descriptor.mediaType)) return yield* Effect.asVoid(read(descriptor, manifestDocument))
      if (!isIndex(descriptor.mediaType)) return
      const { manifests } = yield* read(descriptor, indexDocument)
      yield* Effect.forEach(manifests.filter(isOffered(architecture)), (below) => check(below, depth + 1), {
        discard: true
      })
    })

  /** The image behind the descriptor, or for what there are some. */
  const resolve = (descriptor: Descriptor): Effect.Effect<Resolved, ImageError | PlatformError.PlatformError> =>
    Effect.gen(function* () {
      if (isManifest(descriptor.mediaType)) return yield* readImage(descriptor)
      if (!isIndex(descriptor.mediaType)) {
        return yield* notAnImage(
          `${descriptor.digest.slice(0, 100)} in the image index has the mediaType "${descriptor.mediaType.slice(0, 100)}", which is not that of an image.`
        )
      }
      const { manifests } = yield* read(descriptor, indexDocument)
      const rank = ({ platform }: Descriptor) =>
        (platform === null ? undefined : rankOf(platform, architecture)) ?? Infinity
      const [best] = manifests
        .filter(isOffered(architecture))
        .toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)))
      return best === undefined ? { elsewhere: platformsOf(manifests) } : yield* resolve(best)
    })

  const readImage = Effect.fnUntraced(function* (descriptor: Descriptor) {
    const { config: named, layers } = yield* read(descriptor, manifestDocument)
    if (!isConfig(named.mediaType)) {
      return yield* notAnImage(
        `The image manifest's config has the mediaType "${named.mediaType.slice(0, 100)}": write "${mediaTypes.config}".`
      )
    }
    const config = yield* find(entries, named.digest)
    const configName = named.digest
    const name = `The configuration ${configName}`
    const platform = yield* readDocument(name, yield* blobs.read({ name, blob: config }), configPlatform)
    if (rankOf(platform, architecture) === undefined) return { elsewhere: [platform] }
    const found = yield* Effect.forEach(
      layers.filter(({ mediaType }) => isLayer(mediaType)),
      (layer, index) => findLayer(entries, layer, index)
    )
    return { image: { config, configName, layers: found }, elsewhere: [] }
  })

  return { check, resolve }
}

interface Resolved {
  readonly image?: Image
  readonly elsewhere: ReadonlyArray<Platform>
}

const isOffered =
  (architecture: string) =>
  ({ platform }: Descriptor) =>
    platform === null || rankOf(platform, architecture) !== undefined

const platformsOf = (descriptors: ReadonlyArray<Descriptor>) => descriptors.flatMap(({ platform }) => platform ?? [])

const find = (entries: Entries, digest: string) => {
  const blob = entries.blobs.get(digest)
  return blob === undefined
    ? Effect.fail(notAnImage(`The archive lists ${digest.slice(0, 100)} but does not contain it.`))
    : Effect.succeed(blob)
}

const findLayer = Effect.fnUntraced(function* (entries: Entries, { digest, mediaType }: Descriptor, index: number) {
  const blob = yield* find(entries, digest)
  const compression = compressionOf(blob.head)
  const packing = packingOf(mediaType)
  if (packing === "unknown") {
    return yield* notAnImage(
      `Layer ${index + 1} has the mediaType "${mediaType.slice(0, 100)}", which is not that of a tar archive.`
    )
  }
  if (packing === "plain" && compression !== "none") {
    return yield* notAnImage(
      `Layer ${index + 1} is compressed, but its mediaType "${mediaType.slice(0, 100)}" is that of a plain tar: ` +
        `write "${layerMediaType[compression]}".`
    )
  }
  return blob
})
