/**
 * Looks at what a package built and tells an image archive from a script that
 * streams one; anything else is refused with what was found.
 */
import { ByteSize, Effect, FileSystem, Stream } from "effect"
import { compressionOf } from "../lib/oci/compression.ts"
import { notAnImage } from "../lib/oci/refusal.ts"
import { cleanText } from "../lib/oci/termination-message.ts"

// POSIX pax, "ustar Interchange Format": the magic stands at byte 257.
const tarMagic = { offset: 257, text: "ustar" }
const headBytes = 512

/** What the store path `output` is. */
export const kindOf = Effect.fn("kindOf")(function* (output: string) {
  const fs = yield* FileSystem.FileSystem
  const link = yield* Effect.option(fs.readLink(output))
  if (link._tag === "Some") return yield* refuse("a symbolic link")
  const { mode, size, type } = yield* fs.stat(output)
  if (type === "Directory") {
    const names = yield* fs.readDirectory(output)
    return yield* refuse(`a directory (${names.toSorted().slice(0, 5).join(", ")})`)
  }
  if (type !== "File") return yield* refuse(`a ${type}`)
  const head = yield* headOf(output)
  if (head.length === 0) return yield* refuse("an empty file")
  const text = Buffer.from(head).toString("latin1")
  if (text.startsWith("#!")) {
    if ((mode & 0o111) === 0) return yield* refuse("a script that is not executable")
    return "stream script" as const
  }
  if (compressionOf(head) !== "none" || text.startsWith(tarMagic.text, tarMagic.offset)) {
    return "archive" as const
  }
  const start = cleanText(text.slice(0, 40)).trim()
  return yield* refuse(`a file of ${ByteSize.toNumberUnsafe(size)} bytes that begins with "${start}"`)
})

const headOf = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const parts = yield* Stream.runCollect(fs.stream(path, { bytesToRead: headBytes }))
  return Buffer.concat(parts)
})

const refuse = (found: string) =>
  notAnImage(
    `The package built ${found}, which is neither an image archive nor a script that streams one: ` +
      "build it with dockerTools."
  )
