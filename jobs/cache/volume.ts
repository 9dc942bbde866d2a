/**
 * The folders of a cache volume:
 *
 *     volumes/            0700, root: on the node, the volumes can be reached only through a Pod
 *       <name>/           mounted at /nix
 *         store           Nix's
 *         var/nix         without it Nix quietly builds somewhere else
 *         home            HOME, owned by who builds
 *         enbi/fetched    sources of builds that have not succeeded yet
 *         enbi/layouts    images, for the importer
 *         enbi/roots      what Nix must not collect
 */
import { Effect, FileSystem, Option, Schema } from "effect"
import { cacheAt } from "../../lib/nixbuild/job-contract.ts"

const builder = { uid: 1000, gid: 1000 }

// Nix 2.30 and later refuse to build below a folder that everybody may write (`builds` lies in var/nix).
const volumeMode = 0o755
const volumesMode = 0o700

// Each after the one that it is in.
const { home, layouts, roots } = cacheAt("")
const folders = ["", "/store", "/var", "/var/nix", home, "/enbi", layouts, roots]

/** Something other than a folder is in the way. */
export class VolumeError extends Schema.TaggedError<VolumeError>()("VolumeError", { message: Schema.String }) {}

export interface Volume {
  readonly volumes: string
  readonly name: string
}

/** Makes the volume `name` below `volumes`. */
export const prepareVolume = Effect.fn("prepareVolume")(function* (options: Volume) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(options.volumes, { recursive: true, mode: volumesMode })
  yield* fs.chmod(options.volumes, volumesMode)
  yield* Effect.forEach(
    folders,
    Effect.fnUntraced(function* (folder) {
      const path = `${options.volumes}/${options.name}${folder}`
      const found = yield* Effect.option(fs.lstat(path))
      // What is there belongs to builds already: a link that one of them put there would lead chown elsewhere.
      if (Option.exists(found, ({ type }) => type !== "Directory")) {
        return yield* new VolumeError({ message: `${path} is not a directory. Remove the volume; it is only a cache` })
      }
      if (Option.exists(found, ({ uid }) => Option.contains(uid, builder.uid))) return
      // A folder that is there but not the builder's is kubelet's, or from a run that ended here.
      if (Option.isNone(found)) yield* fs.makeDirectory(path)
      yield* fs.chmod(path, volumeMode)
      yield* fs.chown(path, builder.uid, builder.gid)
    }),
    { discard: true }
  )
})

/** Removes the volume `name` from below `volumes`; of a link that is found there, the link and not what it leads to. */
export const removeVolume = Effect.fn("removeVolume")(function* ({ name, volumes }: Volume) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(`${volumes}/${name}`, { recursive: true, force: true })
})
