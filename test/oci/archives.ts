/** Image archives for the tests, made in memory: good ones and each way of being wrong. */
import { Effect, FileSystem, Stream } from "effect"
import { Tar } from "effect/encoding"
import { createHash } from "node:crypto"

export const digestOf = (bytes: Uint8Array | string): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`

/** A tar of any entries. */
export const collect = (entries: ReadonlyArray<Tar.Entry>) =>
  Stream.fromIterable(entries).pipe(
    Stream.pipeThroughChannel(Tar.encode()),
    Stream.runCollect,
    Effect.map((parts) => Buffer.concat(parts)),
    Effect.orDie
  )

/** A tar of these files, in this order. */
export const tar = (
  files: ReadonlyArray<readonly [string, string | Uint8Array]>,
  more: ReadonlyArray<Tar.Entry> = []
) => collect([...files.map(([name, content]) => Tar.file(name, content)), ...more])

/** What a docker-archive is made of; a test changes a part. */
export const parts = Effect.gen(function* () {
  const base = yield* tar([["bin/busybox", "busybox"]])
  const app = yield* tar([["www/index.html", "hello"]])
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [digestOf(base), digestOf(app)] }
  })
  const image = { Config: "config.json", RepoTags: ["someone/else:latest"], Layers: ["base.tar", "app.tar"] }
  return { base, app, config, manifest: [image] }
})
export type Parts = Effect.Success<typeof parts>

/** The docker-archive of `parts`. */
export const dockerArchive = (
  { app, base, config, manifest }: { [K in keyof Parts]: K extends "manifest" ? ReadonlyArray<object> : Parts[K] },
  more: ReadonlyArray<Tar.Entry> = []
) =>
  tar(
    [
      ["manifest.json", JSON.stringify(manifest)],
      ["base.tar", base],
      ["app.tar", app],
      ["config.json", config]
    ],
    more
  )

/** The OCI archive of the same image. */
export const ociArchive = ({ app, base, config }: Parts) => {
  const describe = (mediaType: string, bytes: Uint8Array | string) => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: digestOf(bytes),
    size: Buffer.byteLength(bytes)
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: describe("config.v1+json", config),
    layers: [describe("layer.v1.tar", base), describe("layer.v1.tar", app)]
  })
  const index = JSON.stringify({ schemaVersion: 2, manifests: [describe("manifest.v1+json", manifest)] })
  const blob = (bytes: Uint8Array | string) => [`blobs/${digestOf(bytes).replace(":", "/")}`, bytes] as const
  return tar([
    ["oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })],
    ["index.json", index],
    ...[manifest, config, base, app].map(blob)
  ])
}

/** A docker-archive of these layers, as they are, and of a configuration that gives their diff ids and `more`. */
export const archiveOf = (image: {
  readonly layers: ReadonlyArray<Uint8Array>
  readonly diffIds?: ReadonlyArray<string>
  readonly more?: object
  readonly configText?: (text: string) => string
}) => {
  const diff_ids = image.diffIds ?? image.layers.map(digestOf)
  const rootfs = { type: "layers", diff_ids }
  const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs, ...image.more })
  const names = image.layers.map((_, index) => `${index}.tar`)
  return tar([
    ["manifest.json", JSON.stringify([{ Config: "config.json", RepoTags: null, Layers: names }])],
    ...image.layers.map((layer, index) => [`${index}.tar`, layer] as const),
    ["config.json", image.configText?.(config) ?? config]
  ])
}

/** A folder for one test with the archive in it. */
export const withArchive = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
  yield* fs.writeFile(`${directory}/image.tar`, bytes)
  return {
    directory,
    conversion: { archive: `${directory}/image.tar`, layout: `${directory}/layout`, architecture: "amd64" }
  }
})
