/**
 * What CNCF Distribution keeps, read from its files: its own ways of giving
 * them away take more processor time, and a file that it deletes meanwhile can
 * be read to its end. Indexes and manifests stay in memory.
 */
import { ByteSize, Effect, FileSystem, type PlatformError, Semaphore, Stream } from "effect"
import type { Content } from "../../lib/oci/content-store.ts"
import { type DistributionError, type Range, unavailable } from "../../lib/oci/distribution.ts"
import { hexOf, maxJsonBytes } from "../../lib/oci/image.ts"
import { type Buffers, fill } from "./buffers.ts"
import { type Descriptor, type Document, readDocument } from "./documents.ts"

// Smaller ones wait for no buffer: an image's configuration is asked for before its layers.
const maxSmall = 64 * 1024

// One of 100 layers has 25 KiB, and what is read of it takes some times that.
const maxRemembered = 4 * 1024 * 1024

// A manifest may have 4 MiB, and many may be asked for at once.
const maxLoads = 2

export const makeStorage = Effect.fnUntraced(function* (root: string, buffers: Buffers) {
  const files = yield* FileSystem.FileSystem
  const loading = yield* Semaphore.make(maxLoads)
  const remembered = makeMemory(maxRemembered)

  const pathOf = (digest: string) => {
    const hex = hexOf(digest)
    return `${root}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`
  }

  const sizeOf = (info: FileSystem.File.Info) => ByteSize.toNumberUnsafe(info.size)

  const load = Effect.fnUntraced(function* (digest: string) {
    const path = pathOf(digest)
    const size = sizeOf(yield* Effect.mapError(files.stat(path), missing(digest)))
    if (size > maxJsonBytes) return yield* unreadable(digest)
    const bytes = yield* Effect.mapError(files.readFile(path), missing(digest))
    const found = readDocument(digest, bytes)
    // It may be half written; another try reads it again.
    if (found === undefined) return yield* unreadable(digest)
    remembered.put(found)
    return found
  }, loading.withPermit)

  /** An index or a manifest that must be there. */
  const document = (digest: string): Effect.Effect<Document, DistributionError> => {
    const known = remembered.get(digest)
    return known === undefined ? load(digest) : Effect.succeed(known)
  }

  /** A configuration or a layer that must be there, as long as its descriptor says. */
  const blob = Effect.fnUntraced(function* ({ digest, size }: Pick<Descriptor, "digest" | "size">) {
    const file = yield* Effect.mapError(files.open(pathOf(digest)), missing(digest))
    const info = yield* Effect.mapError(file.stat, missing(digest))
    if (info.type !== "File" || sizeOf(info) !== size) return yield* incomplete(digest)
    if (size <= maxSmall) {
      const bytes = new Uint8Array(size)
      yield* Effect.mapError(fill(file, { bytes, from: 0 }), () => incomplete(digest))
      const small: Content = {
        digest,
        size,
        bytes,
        part: ({ first, last }) => Stream.succeed(bytes.subarray(first, last + 1))
      }
      return small
    }
    const part = (range: Range) => Stream.unwrap(buffers.read(file, range))
    const large: Content = { digest, size, part, bytes: part({ first: 0, last: size - 1 }) }
    return large
  })

  return { document, blob }
})

export type Storage = Effect.Success<ReturnType<typeof makeStorage>>

const missing = (digest: string) => (error: PlatformError.PlatformError) =>
  unavailable(`The registry's storage does not give ${digest} (${error.reason._tag}).`)

const unreadable = (digest: string) =>
  unavailable(`The registry's storage has something else as the index or manifest ${digest}.`)

const incomplete = (digest: string) => unavailable(`The registry's storage does not have all of ${digest}.`)

/** Those that were asked for last, up to so many bytes. */
const makeMemory = (maxBytes: number) => {
  const documents = new Map<string, Document>()
  let bytes = 0
  const forget = (document: Document) => {
    documents.delete(document.digest)
    bytes -= document.bytes.length
  }
  return {
    get: (digest: string) => {
      const found = documents.get(digest)
      if (found === undefined) return undefined
      documents.delete(digest)
      documents.set(digest, found)
      return found
    },
    put: (document: Document) => {
      const before = documents.get(document.digest)
      if (before !== undefined) forget(before)
      documents.set(document.digest, document)
      bytes += document.bytes.length
      for (const oldest of documents.values()) {
        if (bytes <= maxBytes) break
        forget(oldest)
      }
    }
  }
}
