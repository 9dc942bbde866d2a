/**
 * Reads an image's configuration, which is what a build wants and containerd
 * believes: labels that are containerd's own, a user that overflows to root or
 * a working directory in /proc are refused before they reach the node.
 * Grammar: OCI image-spec 1.1, `config.md`.
 */
import { Effect, Schema } from "effect"
import { ambiguousKey, isReserved, keysOf } from "./json-keys.ts"
import { Limits } from "./image.ts"
import { forbiddenContent, imageTooLarge, notAnImage } from "./refusal.ts"
import { Digest } from "./result.ts"

const Strings = Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))

/** The part of a configuration that says what the layers are, where the image runs, and as what. */
const ImageConfig = Schema.Struct({
  os: Schema.String,
  architecture: Schema.String,
  variant: Schema.optionalKey(Schema.String),
  rootfs: Schema.Struct({ diff_ids: Schema.Array(Digest) }),
  config: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        User: Schema.optionalKey(Schema.String),
        WorkingDir: Schema.optionalKey(Schema.String),
        Env: Strings,
        Entrypoint: Strings,
        Cmd: Strings
      })
    )
  )
})
export type ImageConfig = typeof ImageConfig.Type

const decode = Schema.decodeEffect(Schema.fromJsonString(ImageConfig))

/** The configuration in `bytes`, of which `name` is what a person calls it. */
export const readConfig = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
  const { maxConfigBytes, maxLayers } = yield* Limits
  if (bytes.length > maxConfigBytes) {
    return yield* imageTooLarge(`${name} has ${bytes.length} bytes, more than the ${maxConfigBytes} allowed.`)
  }
  const text = new TextDecoder().decode(bytes)
  const config = yield* decode(text).pipe(
    Effect.mapError((error) => notAnImage(`${name} is not what an image has there: ${error.message}`))
  )
  const keys = keysOf(text)
  const reserved = keys.find(({ key }) => isReserved(key))
  if (reserved !== undefined) {
    return yield* forbiddenContent(
      `${name} has the label ${reserved.key.slice(0, 100)}, which is reserved for containerd.`
    )
  }
  const ambiguous = ambiguousKey(keys)
  if (ambiguous !== undefined) {
    return yield* forbiddenContent(
      `${name} has ${ambiguous.slice(0, 100)} twice, or spelled in another way than OCI's.`
    )
  }
  const reason = forbiddenIn(config.config ?? {})
  if (reason !== undefined) return yield* forbiddenContent(`${name} ${reason}.`)
  const layers = config.rootfs.diff_ids.length
  if (layers > maxLayers) {
    return yield* imageTooLarge(`The image has ${layers} layers, more than the ${maxLayers} that can be mounted.`)
  }
  if (layers === 0) return yield* notAnImage("The image has no layers: there is nothing in it that could run.")
  return config
})

// Linux takes no longer string into a program's environment: MAX_ARG_STRLEN, 32 pages, its NUL included.
const maxStringBytes = 32 * 4096 - 1

const forbiddenIn = ({ Cmd, Entrypoint, Env, User = "", WorkingDir = "" }: NonNullable<ImageConfig["config"]>) => {
  if (!isUser(User)) return `has the user "${User.slice(0, 100)}", which is no user's name and no id up to ${maxId}`
  if (!isWorkingDirectory(WorkingDir)) {
    return `has the working directory "${WorkingDir.slice(0, 100)}", which is relative or below /proc, /sys or /dev`
  }
  const strings = [...(Env ?? []), ...(Entrypoint ?? []), ...(Cmd ?? [])]
  if (strings.some((text) => Buffer.byteLength(text) > maxStringBytes)) {
    return `has a variable or argument of over ${maxStringBytes} bytes, with which no program can start`
  }
  return strings.some((text) => text.includes("\0")) ? "has a NUL in a variable or argument" : undefined
}

// containerd made user ids above this one into others, root among them (CVE-2024-40635).
const maxId = 2 ** 31 - 1

const isUser = (text: string): boolean => text === "" || (text.split(":").every(isId) && text.split(":").length <= 2)

// A name as shadow's useradd takes it, or digits.
const isId = (text: string): boolean =>
  /^[0-9]{1,10}$/u.test(text) ? Number(text) <= maxId : /^[A-Za-z_][A-Za-z0-9_.-]{0,254}\$?$/u.test(text)

// A folder that runc still has open when it changes into it leads out of the container (CVE-2024-21626).
const isWorkingDirectory = (path: string): boolean => {
  const names = path.split("/").filter((name) => name !== "" && name !== ".")
  return path === "" || (path.startsWith("/") && !names.includes("..") && !/^(?:proc|sys|dev)$/u.test(names[0] ?? ""))
}
