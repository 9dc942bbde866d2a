/**
 * Reads what an image archive holds, once and from its beginning to its end: a
 * tar, plain or compressed, or a folder with what would be in the tar. Each
 * file becomes a blob. Names in the archive are only ever looked up in a map;
 * none becomes a path.
 * Rules: containerd, core/images/archive/importer.go, `ImportIndex`.
 */
import { Effect, FileSystem, type PlatformError, Stream } from "effect"
import { Tar } from "effect/encoding"
import { posix } from "node:path"
import type { Blob, Blobs } from "./blobs.ts"
import { compressionOf, decompress, magicBytes } from "./compression.ts"
import { Limits, maxEntries } from "./image.ts"
import { imageTooLarge, notAnImage, type ImageError } from "./image-error.ts"

/** What the archive holds. */
export interface Entries {
  /** Files by name, without `./` and the like. */
  readonly files: ReadonlyMap<string, Blob>
  /** The same by digest: an OCI layout finds them by that, whatever they are called. */
  readonly blobs: ReadonlyMap<string, Blob>
  /** Where symbolic links lead, by their name as written. */
  readonly links: ReadonlyMap<string, string>
  /** What is neither file nor symbolic link: containerd passes it over. */
  readonly others: ReadonlyMap<string, Tar.EntryType>
}

/** Reads the archive at `path`; a folder's links may lead into the folder itself and into `store`. */
export const readEntries = Effect.fnUntraced(function* (
  path: string,
  { blobs, store }: { blobs: Blobs; store: string }
) {
  const fs = yield* FileSystem.FileSystem
  const into = makeEntries(blobs)
  if ((yield* fs.stat(path)).type === "Directory") yield* readFolder(path, store, into)
  else yield* readTar(fs.stream(path), yield* headOf(path), into)
  return into.entries
})

const makeEntries = (blobs: Blobs) => {
  const entries = {
    files: new Map<string, Blob>(),
    blobs: new Map<string, Blob>(),
    links: new Map<string, string>(),
    others: new Map<string, Tar.EntryType>()
  }
  const { files, links, others } = entries
  const admit = Effect.suspend(() =>
    files.size + links.size + others.size >= maxEntries
      ? Effect.fail(notAnImage(`The archive has more than ${maxEntries} files.`))
      : Effect.void
  )
  return {
    entries,
    addFile: Effect.fnUntraced(function* <E, R>(name: string, body: Stream.Stream<Uint8Array, E, R>) {
      yield* admit
      const blob = yield* blobs.add(body)
      files.set(clean(name), blob)
      entries.blobs.set(blob.digest, blob)
    }),
    addLink: (name: string, target: string) =>
      Effect.tap(admit, () => Effect.sync(() => links.set(name, clean(`${posix.dirname(name)}/${target}`)))),
    addOther: (name: string, type: Tar.EntryType) =>
      Effect.tap(admit, () => Effect.sync(() => others.set(clean(name), type)))
  }
}

type Into = ReturnType<typeof makeEntries>

/** As Go's path.Clean. */
const clean = (name: string): string => posix.normalize(name).replace(/(?<=.)\/$/u, "")

const readTar = Effect.fnUntraced(function* <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  head: Uint8Array,
  into: Into
) {
  yield* decompress(bytes, compressionOf(head), "ignored").pipe(
    limited(yield* Limits),
    Stream.pipeThroughChannel(Tar.decode<E | ImageError>()),
    Stream.runForEach(({ body, header: { linkTarget = "", path, type, typeflag } }) => {
      if (type === "Directory") return Effect.void
      if (type === "Symlink") return into.addLink(path, linkTarget)
      // A contiguous file is a file to us, and nothing to Go.
      return type === "File" && typeflag !== "7" ? into.addFile(path, body) : into.addOther(path, type)
    }),
    Effect.catchIf(Tar.isTarError, (error) => notAnImage(`The archive cannot be read: ${error.message}.`))
  )
})

const limited = ({ maxImageBytes }: { readonly maxImageBytes: number }) => {
  let readBytes = 0
  return Stream.mapEffect((chunk: Uint8Array) => {
    readBytes += chunk.length
    return readBytes > maxImageBytes
      ? Effect.fail(imageTooLarge(`The archive contains more than ${maxImageBytes} bytes: make the image smaller.`))
      : Effect.succeed(chunk)
  })
}

const headOf = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const parts = yield* Stream.runCollect(fs.stream(path, { bytesToRead: magicBytes }))
  return Buffer.concat(parts)
})

const readFolder = Effect.fnUntraced(function* (folder: string, store: string, into: Into) {
  const fs = yield* FileSystem.FileSystem
  const bounded = limited(yield* Limits)
  const root = yield* fs.realPath(folder)
  // A folder may be linked to from below itself.
  const seen = new Set<string>()

  const readAt = (name: string): Effect.Effect<void, ImageError | PlatformError.PlatformError> =>
    Effect.gen(function* () {
      const path = yield* Effect.mapError(fs.realPath(`${folder}/${name}`), () =>
        notAnImage(`In the package's directory ${name} is a symbolic link to a file that does not exist.`)
      )
      if (path !== root && !path.startsWith(`${root}/`) && !path.startsWith(`${store}/`)) {
        return yield* notAnImage(
          `In the package's directory ${name} is a symbolic link to ${path}, which is not in the Nix store: copy the file.`
        )
      }
      const { type } = yield* fs.stat(path)
      if (type === "File") return yield* into.addFile(name, bounded(fs.stream(path)))
      if (type !== "Directory") return yield* into.addOther(name, "Other")
      if (seen.has(path)) return
      seen.add(path)
      const names = (yield* fs.readDirectory(path)).toSorted()
      yield* Effect.forEach(names, (below) => readAt(posix.join(name, below)), { discard: true })
    })
  yield* readAt(".")
})
