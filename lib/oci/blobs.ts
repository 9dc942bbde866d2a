/**
 * Puts byte streams of any length into a layout's `blobs/sha256`, each under
 * the digest that was computed while it was written.
 */
import { Effect, FileSystem, Stream } from "effect"
import { createHash } from "node:crypto"
import { magicBytes } from "./compression.ts"
import { digestOf, hexOf, maxJsonBytes } from "./image.ts"
import { notAnImage } from "./image-error.ts"

/** A blob that is in the directory; `head` are its first bytes, which tell the compression. */
export interface Blob {
  readonly digest: string
  readonly size: number
  readonly head: Uint8Array
}

/** Writes blobs below `directory`, which it makes. */
export const makeBlobs = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(directory, { recursive: true })
  const incoming = `${directory}/incoming`
  const pathOf = (blob: { readonly digest: string }) => `${directory}/${hexOf(blob.digest)}`

  const add = Effect.fnUntraced(
    function* <E, R>(body: Stream.Stream<Uint8Array, E, R>) {
      const file = yield* fs.open(incoming, { flag: "w" })
      const hash = createHash("sha256")
      let size = 0
      let head: Uint8Array = new Uint8Array()
      yield* Stream.runForEach(
        body,
        Effect.fnUntraced(function* (bytes: Uint8Array) {
          if (head.length < magicBytes) head = Buffer.concat([head, bytes.subarray(0, magicBytes)])
          size += bytes.length
          hash.update(bytes)
          yield* file.writeAll(bytes)
        })
      )
      const blob: Blob = { digest: `sha256:${hash.digest("hex")}`, size, head: head.subarray(0, magicBytes) }
      yield* fs.rename(incoming, pathOf(blob))
      return blob
    },
    (effect) => Effect.scoped(effect)
  )

  const addJson = Effect.fnUntraced(function* (value: unknown) {
    const bytes = new TextEncoder().encode(JSON.stringify(value))
    const blob: Blob = { digest: digestOf(bytes), size: bytes.length, head: bytes.subarray(0, magicBytes) }
    yield* fs.writeFile(pathOf(blob), bytes)
    return blob
  })

  const read = Effect.fnUntraced(function* ({ blob, name }: { readonly name: string; readonly blob: Blob }) {
    if (blob.size > maxJsonBytes) {
      return yield* notAnImage(`${name} has ${blob.size} bytes, more than the ${maxJsonBytes} allowed.`)
    }
    return yield* fs.readFile(pathOf(blob))
  })

  /** Removes what the image does not need: other files of the archive. */
  const keep = Effect.fnUntraced(function* (needed: ReadonlyArray<{ readonly digest: string }>) {
    const names = new Set(needed.map((blob) => hexOf(blob.digest)))
    const present = yield* fs.readDirectory(directory)
    yield* Effect.forEach(
      present.filter((name) => !names.has(name)),
      (name) => fs.remove(`${directory}/${name}`),
      { discard: true }
    )
  })

  return { add, addJson, read, keep, stream: (blob: { readonly digest: string }) => fs.stream(pathOf(blob)) }
})

export type Blobs = Effect.Success<ReturnType<typeof makeBlobs>>
