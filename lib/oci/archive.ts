/**
 * Finds the image in what an archive holds: OCI's form by oci-layout and
 * index.json, else Docker's by manifest.json, as containerd does.
 * Rules: containerd, core/images/archive/importer.go and core/images/image.go.
 */
import { Effect } from "effect"
import type { Blob, Blobs } from "./blobs.ts"
import { readDockerArchive } from "./docker-archive.ts"
import { dockerImages, layoutFile, type Platform } from "./documents.ts"
import { type Entries, readEntries } from "./entries.ts"
import { readOciArchive } from "./oci-archive.ts"
import { formatPlatform } from "./platform.ts"
import { readFirst } from "./read-document.ts"
import { notAnImage, wrongArchitecture } from "./image-error.ts"

/** The image's parts, already in the layout's blobs, in the manifest's order. */
export interface Image {
  readonly config: Blob
  readonly configName: string
  readonly layers: ReadonlyArray<Blob>
}

/** What of the archive is wanted, and where its files go. */
export interface Wanted {
  readonly archive: string
  readonly architecture: string
  readonly blobs: Blobs
  /** Where a folder's links may lead. */
  readonly store: string
}

/** Finds the one image in the archive, for `architecture` where it holds several. */
export const readArchive = Effect.fn("readArchive")(function* ({ archive, architecture, blobs, store }: Wanted) {
  const entries = yield* readEntries(archive, { blobs, store })
  const { elsewhere, images } = yield* readImages(entries, blobs, architecture)
  // One image under two tags is one image.
  const different = new Map(images.map((image) => [keyOf(image), image]))
  const [image] = different.values()
  if (image === undefined && elsewhere.length > 0) return yield* noneFor(elsewhere, architecture)
  if (image === undefined || different.size > 1) {
    return yield* notAnImage(
      `The archive contains ${different.size} images for ${architecture}; a package must contain exactly one.`
    )
  }
  return image
})

const readImages = Effect.fnUntraced(function* (entries: Entries, blobs: Blobs, architecture: string) {
  const { files } = entries
  const layout = files.get("oci-layout")
  const list = files.get("manifest.json")
  const version =
    layout === undefined
      ? ""
      : (yield* readFirst("oci-layout", yield* blobs.read({ name: "oci-layout", blob: layout }), layoutFile))
          .imageLayoutVersion
  const name = "manifest.json"
  const docker =
    list === undefined ? null : yield* readFirst(name, yield* blobs.read({ name, blob: list }), dockerImages)
  if (version !== "" && version !== "1.0.0") {
    return yield* notAnImage(`oci-layout has the imageLayoutVersion "${version.slice(0, 100)}": write "1.0.0".`)
  }
  if (version !== "") return yield* readOciArchive(entries, blobs, architecture)
  if (docker !== null) return yield* readDockerArchive(docker, entries, { blobs, architecture })
  return yield* notAnImage(
    "The archive has neither a manifest.json (docker-archive) nor an oci-layout and an index.json (OCI): " +
      "build it with dockerTools."
  )
})

const keyOf = ({ config, layers }: Image) => [config, ...layers].map(({ digest }) => digest).join(" ")

const noneFor = (elsewhere: ReadonlyArray<Platform>, architecture: string) => {
  if (elsewhere.every((platform) => platform.architecture === "")) {
    return notAnImage(`The image's configuration names no architecture: write "architecture": "${architecture}".`)
  }
  const found = [...new Set(elsewhere.map(formatPlatform))].slice(0, 10).join(", ")
  return wrongArchitecture(`The image is for ${found}, but linux/${architecture} is wanted.`)
}
