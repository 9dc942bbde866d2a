/**
 * Reads an image's configuration, which is what a build wants and containerd
 * believes: labels that are containerd's own, a user that overflows to root or
 * a working directory in /proc are refused before they reach the node.
 * Grammar: OCI image-spec 1.1, `config.md`.
 */
import { Effect } from "effect"
import { posix } from "node:path"
import { type ImageConfig, imageConfig } from "./documents.ts"
import { keysOf } from "../json-keys.ts"
import { Limits } from "./image.ts"
import { readDocument } from "./read-document.ts"
import { forbiddenContent, imageTooLarge, notAnImage } from "./image-error.ts"

/** The configuration in `bytes`, of which `name` is what a person calls it. */
export const readConfig = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
  const { maxConfigBytes, maxLayers } = yield* Limits
  if (bytes.length > maxConfigBytes) {
    return yield* imageTooLarge(`${name} has ${bytes.length} bytes, more than the ${maxConfigBytes} allowed.`)
  }
  const config = yield* readDocument(name, bytes, imageConfig)
  const reserved = keysOf(new TextDecoder().decode(bytes)).find(({ key }) => isReserved(key))
  if (reserved !== undefined) {
    return yield* forbiddenContent(
      `${name} has the label ${reserved.key.slice(0, 100)}, which is reserved for containerd.`
    )
  }
  const reason = forbiddenIn(config.config)
  if (reason !== undefined) return yield* forbiddenContent(`${name} ${reason}.`)
  if (config.rootfs.type !== "" && config.rootfs.type !== "layers") {
    return yield* notAnImage(`${name}: rootfs.type is "${config.rootfs.type.slice(0, 100)}": write "layers".`)
  }
  const layers = config.rootfs.diff_ids.length
  if (layers > maxLayers) {
    return yield* imageTooLarge(`The image has ${layers} layers, more than the ${maxLayers} that can be mounted.`)
  }
  if (layers === 0) {
    return yield* notAnImage(`${name} lists no layers in rootfs.diff_ids, so nothing in it could run.`)
  }
  return config
})

// Linux takes no longer string into a program's environment: MAX_ARG_STRLEN, 32 pages, its NUL included.
const maxStringBytes = 32 * 4096 - 1

const forbiddenIn = ({ Cmd, Entrypoint, Env, User, WorkingDir }: ImageConfig["config"]) => {
  if (!isUser(User))
    return `has the user "${User.slice(0, 100)}", which is neither a user name nor an id up to ${maxId}`
  if (!isWorkingDirectory(WorkingDir)) {
    return `has the working directory "${WorkingDir.slice(0, 100)}", which is relative or below /proc, /sys or /dev`
  }
  const strings = [...Env, ...Entrypoint, ...Cmd]
  if (strings.some((text) => Buffer.byteLength(text) > maxStringBytes)) {
    return `has a variable or argument of over ${maxStringBytes} bytes, which keeps programs from starting`
  }
  return strings.some((text) => text.includes("\0")) ? "has a NUL in a variable or argument" : undefined
}

// containerd made user ids above this one into others, root among them (CVE-2024-40635).
const maxId = 2 ** 31 - 1

// Either half may be left out.
const isUser = (text: string): boolean => text.split(":").every(isId) && text.split(":").length <= 2

// Digits are an id; with a sign before them some readers take them for a name. A name is what can stand in /etc/passwd.
const isId = (text: string): boolean =>
  /^[+-]?[0-9]+$/u.test(text) ? /^[0-9]+$/u.test(text) && Number(text) <= maxId : /^[^\p{Cc}/]{0,255}$/u.test(text)

// A folder that runc still has open when it changes into it leads out of the container (CVE-2024-21626).
const isWorkingDirectory = (path: string): boolean =>
  path === "" || (path.startsWith("/") && !/^\/+(?:proc|sys|dev)(?:\/|$)/u.test(posix.normalize(path)))

/**
 * Whether containerd or its CRI keep such labels for themselves: an image's
 * labels become its containers', and one of them is a command that containerd
 * runs as root (CVE-2026-53488).
 */
const isReserved = (key: string): boolean => /^(?:containerd\.io\/|io\.containerd\.|io\.cri-containerd)/iu.test(key)
