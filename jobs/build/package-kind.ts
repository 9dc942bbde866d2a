/**
 * Looks at what a package built and tells an image archive from a script that
 * streams one; anything else is refused with what was found. A package that is
 * a symbolic link to something in the Nix store is that thing.
 */
import { ByteSize, Effect, FileSystem, Stream } from "effect"
import { posix } from "node:path"
import { compressionOf } from "../../lib/oci/compression.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { cleanText } from "../../lib/nixbuild/termination-message.ts"

const blockBytes = 512

/** What the store path `output` is, and where that is once links are followed. */
export const findOutput = Effect.fn("findOutput")(function* (output: string) {
  const path = yield* followLink(output)
  return { path, kind: yield* kindOf(path) }
})

const followLink = Effect.fnUntraced(function* (output: string) {
  const fs = yield* FileSystem.FileSystem
  const link = yield* Effect.option(fs.readLink(output))
  if (link._tag === "None") return output
  const store = posix.dirname(output)
  const target = cleanText(link.value).slice(0, 200)
  const real = yield* Effect.option(fs.realPath(output))
  if (real._tag === "None") return yield* refuse(`a symbolic link to ${target}, which does not exist`)
  return real.value.startsWith(`${store}/`)
    ? real.value
    : yield* refuse(`a symbolic link to ${target}, which is not in the Nix store`)
})

const kindOf = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { mode, size, type } = yield* fs.stat(path)
  if (type === "Directory") {
    const names = (yield* fs.readDirectory(path)).toSorted()
    if (names.includes("oci-layout") || names.includes("manifest.json")) return "archive" as const
    return yield* refuse(`a directory (${names.slice(0, 5).join(", ")})`)
  }
  if (type !== "File") return yield* refuse(`a ${type}`)
  const head = yield* headOf(path)
  if (head.length === 0) return yield* refuse("an empty file")
  const text = Buffer.from(head).toString("latin1")
  if (text.startsWith("#!")) {
    if ((mode & 0o111) === 0) return yield* refuse("a script that is not executable")
    return "stream script" as const
  }
  if (compressionOf(head) !== "none" || isTarHeader(head)) return "archive" as const
  const start = cleanText(text.slice(0, 40)).trim()
  return yield* refuse(`a file of ${ByteSize.toNumberUnsafe(size)} bytes that starts with "${start}"`)
})

// POSIX pax, "ustar Interchange Format": the sum of all bytes stands at byte 148, and is summed up with blanks in its
// place. Tars older than the format have no magic number, but they have this.
const isTarHeader = (head: Uint8Array): boolean => {
  if (head.length < blockBytes) return false
  const stated = Buffer.from(head.subarray(148, 156)).toString("latin1").replaceAll("\0", " ").trim()
  const sum = head.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0)
  return /^[0-7]+$/u.test(stated) && Number.parseInt(stated, 8) === sum
}

const headOf = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const parts = yield* Stream.runCollect(fs.stream(path, { bytesToRead: blockBytes }))
  return Buffer.concat(parts)
})

const refuse = (found: string) =>
  new Failure({
    reason: "NotAnImage",
    message:
      `The package built ${found}, which is neither an image archive, an OCI layout nor a script that streams one: ` +
      "build it with dockerTools.",
    log: ""
  })
