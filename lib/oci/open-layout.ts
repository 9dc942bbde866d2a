/**
 * Opens a layout that `convert` made, for those who serve or count it. What
 * lies there belongs to a build that nobody trusts: only regular files are
 * read, never through a symbolic link, and only under names computed here.
 */
import { ByteSize, Effect, FileSystem, Option, Schema, Stream } from "effect"
import { hexOf, Index, Manifest, maxJsonBytes } from "./image.ts"

// What a client that reads slowly can make us hold.
const chunkBytes = 256 * 1024

/** The layout is not one, or lies behind a symbolic link. */
export class LayoutError extends Schema.TaggedError<LayoutError>()("LayoutError", { message: Schema.String }) {}

/** Reads the layout's documents; `directory` has to be absolute and without symbolic links. */
export const openLayout = Effect.fn("openLayout")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const pathOf = (digest: string) => `${directory}/blobs/sha256/${hexOf(digest)}`

  const openFile = Effect.fnUntraced(function* (path: string) {
    // Looking first, because opening a FIFO waits for its writer; looking again at what was opened.
    const parent = path.replace(/\/[^/]*$/u, "")
    if ((yield* fs.realPath(parent)) !== parent) return yield* refuse(`${parent} lies behind a symbolic link`)
    const { type } = yield* fs.lstat(path)
    if (type !== "File") return yield* refuse(`${path} is a ${type}, not a file`)
    const file = yield* fs.open(path, { flag: "r", noFollow: true })
    const info = yield* file.stat
    if (info.type !== "File") return yield* refuse(`${path} is a ${info.type}, not a file`)
    return { file, sizeBytes: ByteSize.toNumberUnsafe(info.size) }
  })

  const stream = (path: string) =>
    Stream.unwrap(
      Effect.map(openFile(path), ({ file }) =>
        Stream.unfold(undefined, () =>
          Effect.map(
            file.readAlloc(chunkBytes),
            Option.match({ onNone: () => undefined, onSome: (bytes) => [bytes, undefined] as const })
          )
        )
      )
    )

  const sizeOf = (digest: string) => Effect.scoped(Effect.map(openFile(pathOf(digest)), ({ sizeBytes }) => sizeBytes))

  const readJson = Effect.fnUntraced(function* <A>(path: string, schema: Schema.Codec<A, unknown>) {
    const { sizeBytes } = yield* openFile(path)
    if (sizeBytes > maxJsonBytes) return yield* refuse(`${path} has ${sizeBytes} bytes`)
    const text = yield* Stream.mkString(Stream.decodeText(stream(path)))
    return yield* Schema.decodeEffect(Schema.fromJsonString(schema))(text)
  }, Effect.scoped)

  const index = yield* only(yield* readJson(`${directory}/index.json`, Index), `${directory}/index.json`)
  const manifest = yield* only(yield* readJson(pathOf(index.digest), Index), "The image index")
  const { config, layers } = yield* readJson(pathOf(manifest.digest), Manifest)
  return { index, manifest, config, layers, sizeOf, stream: (digest: string) => stream(pathOf(digest)) }
})

export type Layout = Effect.Success<ReturnType<typeof openLayout>>

const only = ({ manifests }: typeof Index.Type, name: string) => {
  const [descriptor] = manifests
  return descriptor === undefined || manifests.length > 1
    ? refuse(`${name} names ${manifests.length} images, not one`)
    : Effect.succeed(descriptor)
}

const refuse = (message: string) => Effect.fail(new LayoutError({ message }))
