/**
 * Reads a layer as containerd will when it unpacks it: what it holds, how large
 * it gets and what its diff id is, in one pass and in bounded memory.
 */
import { Effect, Stream } from "effect"
import { Tar } from "effect/encoding"
import { createHash } from "node:crypto"
import { decompress, type Compression } from "./compression.ts"
import { Limits } from "./image.ts"
import { forbiddenIn } from "./layer-entry.ts"
import { makeLayerTree } from "./layer-tree.ts"
import { forbiddenContent, imageTooLarge, notAnImage } from "./image-error.ts"

/** A layer of an image, whose diff id is that of what it unpacks to. */
export interface Layer {
  readonly digest: string
  readonly compression: Compression
  readonly diffId: string
  /** What a person calls it. */
  readonly name: string
  /** How often the image has it: each time it is unpacked once more. */
  readonly times: number
}

/** The image's layers, each once, as far as they fit to the diff ids of its configuration. */
export const pairLayers = Effect.fnUntraced(function* (
  layers: ReadonlyArray<Pick<Layer, "digest" | "compression">>,
  diffIds: ReadonlyArray<string>
) {
  if (layers.length !== diffIds.length) {
    return yield* notAnImage(`The image has ${layers.length} layers, but its configuration lists ${diffIds.length}.`)
  }
  const byDigest = new Map<string, Layer>()
  for (const [index, { compression, digest }] of layers.entries()) {
    const name = `Layer ${index + 1}`
    const before = byDigest.get(digest)
    const found = compression === "none" ? digest : (before?.diffId ?? diffIds[index] ?? "none")
    if (found !== diffIds[index]) return yield* otherDiffId(name, { found, expected: diffIds[index] })
    byDigest.set(digest, { digest, compression, diffId: found, name, times: (before?.times ?? 0) + 1 })
  }
  return [...byDigest.values()]
})

/**
 * An inspector for one image: its layers share the limits. `unpacking` has it
 * also find what containerd would trip over, which takes memory for each file.
 */
export const makeInspector = Effect.fnUntraced(function* ({ unpacking }: { readonly unpacking: boolean }) {
  const { maxImageBytes, maxImageFiles } = yield* Limits
  // By layer and not one sum, because a layer that is read a second time takes no more of the node.
  const taken = new Map<string, { readonly bytes: number; readonly files: number }>()
  const take = (digest: string, layer: { readonly bytes: number; readonly files: number }) => {
    taken.set(digest, layer)
    const all = [...taken.values()]
    if (all.reduce((sum, { bytes }) => sum + bytes, 0) > maxImageBytes) {
      return Effect.fail(imageTooLarge(`The image unpacks to more than ${maxImageBytes} bytes: make it smaller.`))
    }
    return all.reduce((sum, { files }) => sum + files, 0) > maxImageFiles
      ? Effect.fail(imageTooLarge(`The image contains more than ${maxImageFiles} files: make it smaller.`))
      : Effect.void
  }

  /** Reads the layer's bytes to their end; fails with what is wrong with them. */
  return Effect.fnUntraced(function* <E, R>(layer: Layer, bytes: Stream.Stream<Uint8Array, E, R>) {
    const { compression, diffId, digest, name, times } = layer
    const hash = createHash("sha256")
    let unpackedBytes = 0
    let files = 0
    const tripsOver = unpacking ? makeLayerTree() : () => undefined
    yield* decompress(bytes, compression, "refused").pipe(
      Stream.mapEffect((chunk) => {
        hash.update(chunk)
        unpackedBytes += chunk.length
        return Effect.as(take(digest, { bytes: unpackedBytes * times, files: files * times }), chunk)
      }),
      Stream.pipeThroughChannel(Tar.decode()),
      Stream.runForEach(({ header }) => {
        files += 1
        const shown = `${name}: ${header.path.slice(0, maxShownLength)}`
        const reason = forbiddenIn(header)
        if (reason !== undefined) return Effect.fail(forbiddenContent(`${shown} ${reason}.`))
        const obstacle = tripsOver(header)
        return obstacle === undefined
          ? Effect.void
          : Effect.fail(notAnImage(`${shown} ${obstacle}: containerd could not unpack it.`))
      }),
      Effect.catchIf(Tar.isTarError, (error) => Effect.fail(notAnImage(`${name} cannot be read: ${error.message}.`)))
    )
    // containerd compares them only while it unpacks. Equal ids also mean that it unpacks what was read here: bytes
    // that only one of the two sees, as behind the end of the compressed data, would give another id.
    const found = `sha256:${hash.digest("hex")}`
    if (found !== diffId) return yield* otherDiffId(name, { found, expected: diffId })
  })
})

const maxShownLength = 200

const otherDiffId = (name: string, ids: { readonly found: string; readonly expected: string | undefined }) =>
  notAnImage(`${name} has the diff id ${ids.found}, but the image's configuration says ${ids.expected}.`)
