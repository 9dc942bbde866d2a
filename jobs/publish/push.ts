/**
 * Brings a layout into the image registry, by digest: what the registry lacks
 * of configuration and layers, then the manifest, then the index. Tags are not
 * set, since our objects say which digest a tag names.
 *
 * Layers are inspected while they are sent, as an import does it. The last
 * bytes of a layer follow only when all of it is well, so the registry keeps
 * nothing that was refused.
 */
import { Console, Deferred, Effect } from "effect"
import { ContentStore, streamOf } from "../../lib/oci/content-store.ts"
import { mediaTypes } from "../../lib/oci/image.ts"
import { layoutStore, makeServing } from "../../lib/oci/layout-store.ts"
import type { Layout } from "../../lib/oci/open-layout.ts"
import { layoutFailure } from "../image-failure.ts"
import { holdToSystem, sizeOf } from "../layout.ts"
import type { PublishSettings } from "../settings.ts"
import { pushFailure } from "./push-failure.ts"
import { type Described, makeRegistry } from "./registry.ts"

/** Pushes the layout; the result is the Job's. */
export const pushImage = Effect.fn("publish")(function* (
  settings: Pick<PublishSettings, "registry" | "system">,
  layout: Layout
) {
  yield* holdToSystem(layout, settings.system)
  const serving = yield* makeServing
  const refusal = Effect.mapError(Deferred.await(serving.refused), (error) => layoutFailure(error, "PublishFailed"))
  const moved = yield* push(settings, layout).pipe(
    Effect.provide(layoutStore(layout, serving)),
    Effect.catchTag("RegistryError", (error) => Effect.fail(pushFailure(settings.registry, error))),
    Effect.catchTag("DistributionError", () => refusal),
    // What is refused ends the upload at once.
    Effect.raceFirst(refusal)
  )
  const { digest } = layout.index
  const bytes = moved.reduce((sum, { size }) => sum + size, 0)
  yield* Console.log(`${settings.registry.repository}@${digest} is in the registry: ${bytes} bytes sent`)
  return {
    outcome: "Succeeded" as const,
    digest,
    configDigest: layout.config.digest,
    sizeBytes: sizeOf(layout),
    movedBlobs: moved.length,
    movedBytes: bytes
  }
})

const push = Effect.fnUntraced(function* ({ registry: at }: Pick<PublishSettings, "registry">, layout: Layout) {
  const registry = yield* makeRegistry(at)
  const store = yield* ContentStore
  const blobs = yield* Effect.filter(blobsOf(layout), (blob) =>
    Effect.tap(
      registry.bringBlob(blob, Effect.map(store.blob({ name: at.repository, reference: blob.digest }), streamOf)),
      (wasMissing) => report(blob, wasMissing)
    )
  )
  const documents = [
    { ...layout.manifest, mediaType: mediaTypes.manifest, name: "the manifest" },
    { ...layout.index, mediaType: mediaTypes.index, name: "the index" }
  ].flatMap((descriptor) =>
    layout.documents.filter(({ digest }) => digest === descriptor.digest).map(({ bytes }) => ({ ...descriptor, bytes }))
  )
  const manifests = yield* Effect.filter(documents, (document) =>
    Effect.tap(registry.bringManifest(document), (wasMissing) => report(document, wasMissing))
  )
  return [...blobs, ...manifests]
})

/** Configuration and layers; a layer that the image has twice is one blob. */
const blobsOf = ({ config, layers }: Layout): ReadonlyArray<Described> => [
  { ...config, name: "the configuration" },
  ...layers
    .map((layer, index) => ({ ...layer, name: `layer ${index + 1}` }))
    .filter(({ digest }, index) => layers.findIndex((layer) => layer.digest === digest) === index)
]

const report = ({ digest, name, size }: Described, wasMissing: boolean) =>
  Console.log(`${name} ${digest}: ${wasMissing ? `${size} bytes sent` : "is there"}`)
