/**
 * The store of one layout, under every name and every tag: `ctr images pull`
 * takes from it what containerd does not have. A layer is inspected while it is
 * served, and after the first that is refused nothing is served any more.
 */
import { Deferred, Effect, Layer, Ref, type Scope, Stream } from "effect"
import { createHash } from "node:crypto"
import { whileChecking } from "./checked-stream.ts"
import { ContentStore } from "./content-store.ts"
import { blobUnknown, denied, isDigest, manifestUnknown, nameUnknown } from "./distribution.ts"
import { digestMismatch } from "./image-error.ts"
import { type Layer as ImageLayer, makeInspector } from "./layer.ts"
import type { Layout } from "./open-layout.ts"

/** What was asked for (a HEAD does not count): what containerd did not have. */
export interface Served {
  readonly blobs: number
  readonly bytes: number
}

/** Counts for `layoutStore`, and why it stopped serving. */
export const makeServing = Effect.gen(function* () {
  return {
    served: yield* Ref.make<Served>({ blobs: 0, bytes: 0 }),
    inspect: yield* makeInspector({ unpacking: false }),
    refused: yield* Deferred.make<never, Error>()
  }
})
export type Serving = Effect.Success<typeof makeServing>

type Opened = Effect.Effect<Stream.Stream<Uint8Array, Error>, Error, Scope.Scope>

export const layoutStore = (layout: Layout, { inspect, refused, served }: Serving) => {
  const count = (size: number) => Ref.update(served, ({ blobs, bytes }) => ({ blobs: blobs + 1, bytes: bytes + size }))

  const openLayer = Effect.fnUntraced(function* (layer: ImageLayer, size: number) {
    const hash = createHash("sha256")
    return whileChecking(yield* layout.openLayer({ digest: layer.digest, size }), (bytes) =>
      Effect.andThen(
        inspect(
          layer,
          Stream.tap(bytes, (chunk) => Effect.sync(() => hash.update(chunk)))
        ),
        Effect.suspend(() => (`sha256:${hash.digest("hex")}` === layer.digest ? Effect.void : changed(layer.name)))
      )
    )
  })

  const serve = Effect.fnUntraced(function* <A extends Described>(described: A, open: Opened) {
    const refuse = (error: Error) => Deferred.fail(refused, error)
    // Once to see whether it can be opened, while there is still a status to answer with.
    yield* Effect.scoped(open).pipe(Effect.tapError(refuse), Effect.mapError(imageRefused), Effect.asVoid)
    const bytes = Stream.unwrap(open).pipe(
      Stream.onStart(count(described.size)),
      Stream.tapError(refuse),
      Stream.interruptWhen(Deferred.await(refused))
    )
    return { ...described, bytes }
  })

  const document = (digest: string) => layout.documents.find((one) => one.digest === digest)
  const inMemory = (bytes: Uint8Array) => Effect.succeed(Stream.succeed(bytes))

  // ctr asks again for what was cut off: only an answer like this ends it.
  const unlessRefused = Effect.flatMap(Deferred.isDone(refused), (is) =>
    is ? Effect.fail(imageRefused()) : Effect.void
  )

  return Layer.succeed(ContentStore, {
    manifest: Effect.fnUntraced(function* ({ reference }) {
      yield* unlessRefused
      const found = document(isDigest(reference) ? reference : layout.index.digest)
      if (found === undefined || found.digest === layout.config.digest) return yield* manifestUnknown(reference)
      const { bytes, ...described } = found
      return yield* serve(described, inMemory(bytes))
    }),
    blob: Effect.fnUntraced(function* ({ reference }) {
      yield* unlessRefused
      const found = document(reference)
      if (found !== undefined) return yield* serve(found, inMemory(found.bytes))
      const descriptor = layout.layers.find(({ digest }) => digest === reference)
      const layer = layout.contents.find(({ digest }) => digest === reference)
      if (descriptor === undefined || layer === undefined) return yield* blobUnknown(reference)
      return yield* serve(descriptor, openLayer(layer, descriptor.size))
    }),
    tags: (name) => Effect.andThen(unlessRefused, Effect.fail(nameUnknown(name)))
  })
}

interface Described {
  readonly digest: string
  readonly size: number
}

const imageRefused = () => denied("The image was rejected.")

const changed = (name: string) =>
  Effect.fail(digestMismatch(`${name} is not what its digest says: something changed it after the build.`))
