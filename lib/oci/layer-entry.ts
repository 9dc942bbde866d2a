/**
 * What a file in a layer may be. A Nix store path is never more than plain
 * files, folders and links, so nothing that dockerTools makes of a flake's own
 * packages is refused here; what is refused would be a privilege or a trap for
 * the node or for the user of the image.
 *
 * | in the layer | |
 * |---|---|
 * | `/nix/store`, `./nix/store`, `nix/store` | allowed: containerd puts all three below the image's root |
 * | a hard link to `b`, `./b` or `/b` | allowed: the same `b` below the image's root |
 * | `a/../b`, a hard link to `../b` | refused |
 * | a symbolic link to anywhere, and files behind it | allowed: containerd resolves it below the image's root |
 * | device, FIFO, anything that is no file, folder or link | refused |
 * | setuid or setgid on a file | refused; setgid on a folder only hands its group down |
 * | `security.*` and `trusted.*` attributes | refused: file capabilities, and what overlayfs takes for its own notes |
 *
 * Grammar: POSIX pax, "ustar Interchange Format"; OCI image-spec 1.1, `layer.md`.
 */
import type { Tar } from "effect/encoding"

// PATH_MAX and NAME_MAX of Linux, the former without its NUL: a longer one cannot be opened.
const maxPathBytes = 4095
const maxNameBytes = 255

const setuidOrSetgid = 0o6000

// How GNU tar, Go and so containerd write extended attributes into pax headers.
const attribute = "SCHILY.xattr."
const forbiddenAttribute = /^SCHILY\.xattr\.(?:security|trusted)\./u

// `.wh.<name>` removes <name> of a lower layer, so these would remove the folder itself or the one above.
const badWhiteout = /^\.wh\.\.{0,2}$/u

/** Why this entry may not come onto a node, as the end of a sentence that begins with its name; undefined if it may. */
export const forbiddenIn = (header: Tar.Header): string | undefined => {
  const { linkTarget = "", mode, path, pax, type, typeflag } = header
  const kind = kinds[type]
  // Go has a kind for contiguous files, which containerd does not unpack.
  if (kind !== undefined || typeflag === "7") return `is ${kind ?? kinds.Other}`
  // An old archive marks a folder by a slash alone; readers differ on whether such an entry has content.
  if (type === "Directory" && typeflag !== "5") return "is a directory that its header calls a file"
  if (type !== "Directory" && (mode & setuidOrSetgid) !== 0) return "is a setuid or setgid file"
  const forbidden = Object.keys(pax).find((key) => forbiddenAttribute.test(key))
  if (forbidden !== undefined) return `has the attribute ${forbidden.slice(attribute.length)}`
  return forbiddenName(path) ?? (type === "Hardlink" ? forbiddenTarget(linkTarget) : tooLong(linkTarget))
}

const kinds: Partial<Record<Tar.EntryType, string>> = {
  CharDevice: "a character device",
  BlockDevice: "a block device",
  Fifo: "a FIFO",
  Other: "of a kind that is not allowed in an image"
}

const forbiddenName = (path: string): string | undefined => {
  const names = path.split("/")
  if (names.includes("..")) return "has .. in its name and leaves the image's root"
  if (names.some((name) => badWhiteout.test(name))) return "is a whiteout that names no file"
  if (names.some((name) => Buffer.byteLength(name) > maxNameBytes)) return `has a name of over ${maxNameBytes} bytes`
  return tooLong(path)
}

const forbiddenTarget = (target: string): string | undefined => {
  const reason = forbiddenName(target)
  return reason === undefined ? undefined : `is a hard link whose target ${reason}`
}

const tooLong = (path: string): string | undefined =>
  Buffer.byteLength(path) > maxPathBytes ? `has a path of over ${maxPathBytes} bytes` : undefined
