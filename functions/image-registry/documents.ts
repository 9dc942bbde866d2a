/** What the registry reads of indexes and manifests: what they lead to. */
import { Result, Schema } from "effect"
import { Digest, digestOf, mediaTypes } from "../../lib/oci/image.ts"
import { isIndex, isManifest } from "../../lib/oci/media-types.ts"

const Descriptor = Schema.StructWithRest(
  Schema.Struct({
    mediaType: Schema.String,
    digest: Digest,
    size: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    platform: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)
export type Descriptor = typeof Descriptor.Type

const Index = Schema.Struct({
  mediaType: Schema.String.check(Schema.makeFilter(isIndex)),
  manifests: Schema.Array(Descriptor)
})

const Manifest = Schema.Struct({
  mediaType: Schema.String.check(Schema.makeFilter(isManifest)),
  config: Descriptor,
  layers: Schema.Array(Descriptor)
})

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Union([Index, Manifest])))

/** An index or a manifest. */
export interface Document {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Uint8Array
  /** Of an index: the manifests. */
  readonly manifests: ReadonlyArray<Descriptor>
  /** Of a manifest: the configuration and the layers. */
  readonly blobs: ReadonlyArray<Pick<Descriptor, "digest" | "size">>
}

/** Nothing, unless it is an index or a manifest, and the one that `digest` names. */
export const readDocument = (digest: string, bytes: Uint8Array): Document | undefined => {
  if (digestOf(bytes) !== digest) return undefined
  const found = decode(new TextDecoder().decode(bytes))
  if (Result.isFailure(found)) return undefined
  const { mediaType } = found.success
  if ("manifests" in found.success) {
    return { digest, mediaType, bytes, manifests: found.success.manifests, blobs: [] }
  }
  const { config, layers } = found.success
  return { digest, mediaType, bytes, manifests: [], blobs: [config, ...layers].map(pick) }
}

// Many of them are kept in memory.
const pick = ({ digest, size }: Descriptor) => ({ digest, size })

/** One index of the manifests of several; of the same ones always the same bytes. */
export const merge = (indexes: ReadonlyArray<Document>): Document => {
  const manifests = [
    ...new Map(indexes.flatMap((index) => index.manifests.map((manifest) => [manifest.digest, manifest]))).values()
  ]
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }))
  return { digest: digestOf(bytes), mediaType: mediaTypes.index, bytes, manifests, blobs: [] }
}

/** The manifest for a client that reads no indexes: the only one, or that for what most machines are, as Docker has it. */
export const manifestFor = ({ manifests }: Document): Descriptor | undefined =>
  manifests.length === 1
    ? manifests[0]
    : manifests.find(({ platform }) => platform?.["os"] === "linux" && platform["architecture"] === "amd64")
