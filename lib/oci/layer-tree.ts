/**
 * Follows a layer as containerd unpacks it on overlayfs, into a folder of its
 * own that knows nothing of the layers below, and finds what it would trip
 * over: a hard link to what is not there yet, or a file below a file.
 * Rules: containerd, pkg/archive/tar.go, `Apply`.
 */
import type { Tar } from "effect/encoding"
import { posix } from "node:path"

type Node = "folder" | "file" | "whiteout" | { readonly target: string }

// A name and what it is take some 200 bytes here; what comes behind so many is left to containerd to find.
const maxNodes = 500_000

// As many symbolic links as containerd follows on one way.
const maxLinks = 255

/** For one layer: why unpacking would end at this entry, as the end of a sentence that begins with its name. */
export const makeLayerTree = () => {
  const nodes = new Map<string, Node>()
  // Files of one folder follow each other, and its way stays the same until a link or something else takes its place.
  let last: { readonly folder: string; readonly followed: string | undefined } | undefined

  /** Where the folder is once its symbolic links are followed; undefined if they lead in a circle. */
  const follow = (folder: string): string | undefined => {
    const left = namesOf(folder).toReversed()
    const names: Array<string> = []
    for (let links = 0, name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === "..") names.pop()
      else {
        const node = nodes.get([...names, name].join("/"))
        if (typeof node !== "object") names.push(name)
        else {
          links += 1
          if (links > maxLinks) return undefined
          if (node.target.startsWith("/")) names.length = 0
          left.push(...namesOf(node.target).toReversed())
        }
      }
    }
    return names.join("/")
  }

  const locate = (path: string): string | undefined => {
    const [, folder = "", base = ""] = /^(.*?)([^/]*)\/*$/su.exec(path) ?? []
    if (last?.folder !== folder) last = { folder, followed: follow(folder) }
    if (last.followed === undefined) return undefined
    if (base === "" || base === ".") return last.followed
    return last.followed === "" ? base : `${last.followed}/${base}`
  }

  /** What stands in the way of the folder, which is made if it is not there. */
  const makeFolder = (folder: string): string | undefined => {
    if (folder === "" || nodes.get(folder) === "folder") return undefined
    const names = namesOf(folder)
    for (let length = 1; length <= names.length; length += 1) {
      const above = names.slice(0, length).join("/")
      const node = nodes.get(above)
      if (node !== undefined && node !== "folder") return above
      nodes.set(above, "folder")
    }
    return undefined
  }

  const remove = (path: string) => {
    last = undefined
    if (nodes.get(path) === "folder") {
      for (const below of nodes.keys()) if (below.startsWith(`${path}/`)) nodes.delete(below)
    }
    nodes.delete(path)
  }

  return ({ linkTarget = "", path: name, type }: Tar.Header): string | undefined => {
    if (nodes.size > maxNodes) return undefined
    const path = locate(name)
    if (path === undefined) return "is behind symbolic links that form a loop"
    if (path === "") return undefined
    const inTheWay = makeFolder(folderOf(path))
    if (inTheWay !== undefined) return `is below ${inTheWay}, which is not a directory`
    const base = posix.basename(path)
    if (base === opaque) return undefined
    if (base.startsWith(whiteout)) {
      const removed = path.slice(0, path.length - base.length) + base.slice(whiteout.length)
      if (nodes.has(removed)) return `removes ${removed}, which the same layer adds`
      nodes.set(removed, "whiteout")
      return undefined
    }
    if (nodes.has(path) && (type !== "Directory" || nodes.get(path) !== "folder")) remove(path)
    if (type === "Symlink" && linkTarget === "") return "is a symbolic link to nothing"
    const target = type === "Hardlink" ? locate(linkTarget) : undefined
    const linked = target === undefined ? undefined : nodes.get(target)
    if (type === "Hardlink" && (linked === undefined || linked === "folder")) {
      return `is a hard link to ${linkTarget.slice(0, 200)}, which is not an earlier file in the same layer`
    }
    if (type === "Symlink" || linked !== undefined) last = undefined
    nodes.set(path, linked ?? (type === "Directory" ? "folder" : type === "Symlink" ? { target: linkTarget } : "file"))
    return undefined
  }
}

// OCI image-spec 1.1, `layer.md`, "Whiteouts".
const whiteout = ".wh."
const opaque = ".wh..wh..opq"

const namesOf = (path: string) => path.split("/").filter((name) => name !== "" && name !== ".")

const folderOf = (path: string) => path.slice(0, Math.max(path.lastIndexOf("/"), 0))
