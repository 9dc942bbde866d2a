/**
 * Docker's form of an image archive: manifest.json lists images, each a
 * configuration and layers by their names in the archive, where a layer that
 * comes a second time may be a symbolic link to the first.
 * Rules: containerd, core/images/archive/importer.go.
 */
import { Effect, Option } from "effect"
import type { Blob, Blobs } from "./blobs.ts"
import { configPlatform, type dockerImages, type Platform } from "./documents.ts"
import type { Entries } from "./entries.ts"
import { rankOf } from "./platform.ts"
import { normalizeReference } from "./reference.ts"
import { readDocument } from "./read-document.ts"
import { notAnImage } from "./image-error.ts"

type DockerImage = NonNullable<(typeof dockerImages.schema)["Type"]>[number]

/** The images that manifest.json lists. */
export const readDockerArchive = Effect.fnUntraced(function* (
  list: ReadonlyArray<DockerImage>,
  entries: Entries,
  { architecture, blobs }: { readonly architecture: string; readonly blobs: Blobs }
) {
  for (const link of entries.links.keys()) {
    if (follow(entries, link) === undefined) {
      return yield* notAnImage(
        `In the archive ${link} is a symbolic link to ${entries.links.get(link)}, which it does not contain.`
      )
    }
  }
  const read = yield* Effect.forEach(
    list,
    Effect.fnUntraced(function* ({ Config, Layers, RepoTags }: DockerImage) {
      const name = `The configuration ${Config}`
      const config = yield* find(entries, Config)
      const layers = yield* Effect.forEach(Layers, (layer) => find(entries, layer))
      const platform = yield* readDocument(name, yield* blobs.read({ name, blob: config }), configPlatform)
      const bad = RepoTags.find((tag) => Option.isNone(normalizeReference(tag)))
      if (bad !== undefined) {
        return yield* notAnImage(
          `RepoTags of manifest.json has "${bad.slice(0, 100)}", which is not an image name: write "name:tag" in lower case.`
        )
      }
      return { platform, image: { config, configName: Config, layers } }
    })
  )
  const fits = (platform: Platform) => rankOf(platform, architecture) !== undefined
  return {
    images: read.flatMap(({ image, platform }) => (fits(platform) ? [image] : [])),
    elsewhere: read.flatMap(({ platform }) => (fits(platform) ? [] : [platform]))
  }
})

/** The file behind a link of this name, or of this name itself. */
const follow = (
  { files, links }: Pick<Entries, "files" | "links">,
  name: string,
  passed: ReadonlyArray<string> = []
): Blob | undefined => {
  const target = links.get(name)
  if (target === undefined) return files.get(name)
  return passed.includes(name) ? undefined : follow({ files, links }, target, [...passed, name])
}

const find = Effect.fnUntraced(function* (entries: Entries, name: string) {
  const blob = follow(entries, name)
  if (blob !== undefined) return blob
  const other = entries.others.get(name)
  return yield* notAnImage(
    other === undefined
      ? `The archive lists ${name.slice(0, 200)} but does not contain it.`
      : `In the archive ${name.slice(0, 200)} is a ${other}, not a file or a symbolic link to one.`
  )
})
