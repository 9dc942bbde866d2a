/** Archives for the corpus: each row takes a good one and changes one thing. */
import { Effect } from "effect"
import { Tar } from "effect/encoding"
import { collect, digestOf, tar } from "../oci/archives.ts"

export type Bytes = Uint8Array | string
export type File = readonly [name: string, content: Bytes]

/** An entry that `Tar` has no maker for. */
export const entry = (path: string, header: Partial<Tar.Header>, content = ""): Tar.Entry => {
  const file = Tar.file(path, content)
  return { ...file, header: { ...file.header, ...header } }
}

/** A layer of these entries. */
export const layerOf = (...entries: ReadonlyArray<Tar.Entry>) => collect(entries)

/** The two layers of every image that says nothing else. */
export const plainLayers = Effect.all([
  layerOf(Tar.directory("bin"), Tar.file("bin/busybox", "busybox", { mode: 0o755 })),
  layerOf(Tar.file("www/index.html", "hello"))
])

export interface Parts {
  readonly layers: ReadonlyArray<Uint8Array>
  /** What the layers unpack to, where they are packed. */
  readonly plain?: ReadonlyArray<Uint8Array>
  /** Changes the configuration's document. */
  readonly document?: (document: object) => unknown
  /** Changes the configuration's text. */
  readonly text?: (text: string) => Bytes
}

/** A configuration with the layers' diff ids. */
export const configOf = ({ document = (all) => all, layers, plain = layers, text = (all) => all }: Parts) =>
  text(
    JSON.stringify(
      document({
        architecture: "amd64",
        os: "linux",
        config: { Cmd: ["/bin/busybox"] },
        rootfs: { type: "layers", diff_ids: plain.map(digestOf) }
      })
    )
  )

/** A docker-archive; `change` gets its files and manifest.json's document, which comes last in the tar. */
export const docker = Effect.fnUntraced(function* (
  parts: Partial<Parts> = {},
  change: {
    readonly files?: (files: ReadonlyArray<File>) => ReadonlyArray<File>
    readonly list?: (list: ReadonlyArray<object>) => unknown
    readonly listText?: (text: string) => Bytes
    readonly more?: ReadonlyArray<Tar.Entry>
  } = {}
) {
  const layers = parts.layers ?? (yield* plainLayers)
  const names = layers.map((_, index) => `${index}/layer.tar`)
  const { files = (all) => all, list = (all) => all, listText = (all) => all, more = [] } = change
  const image = { Config: "config.json", RepoTags: ["someone/else:1"], Layers: names }
  const own: ReadonlyArray<File> = [
    ...layers.map((layer, index) => [names[index] ?? "", layer] as const),
    ["config.json", configOf({ ...parts, layers })],
    ["manifest.json", listText(JSON.stringify(list([image])))]
  ]
  return yield* tar(files(own), more)
})

export const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar"
}

export const descriptor = (mediaType: string, bytes: Bytes, more: object = {}) => ({
  mediaType,
  digest: digestOf(bytes),
  size: Buffer.byteLength(bytes),
  ...more
})

export interface OciChange extends Partial<Parts> {
  readonly configType?: string
  readonly layerType?: string
  readonly manifestType?: string
  readonly manifest?: (manifest: { config: object; layers: ReadonlyArray<object> }) => object
  /** The top index's entries, of the manifest's descriptor, and further blobs. */
  readonly entries?: (manifest: { digest: string; size: number; mediaType: string }) => ReadonlyArray<object>
  readonly blobs?: ReadonlyArray<Bytes>
  readonly index?: (index: object) => unknown
  readonly files?: (files: ReadonlyArray<File>) => ReadonlyArray<File>
}

/** An OCI layout's files. */
export const ociFiles = Effect.fnUntraced(function* (change: OciChange = {}) {
  const layers = change.layers ?? (yield* plainLayers)
  const config = configOf({ ...change, layers })
  const { configType = types.config, layerType = types.layer, manifestType = types.manifest } = change
  const parts = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor(configType, config),
    layers: layers.map((layer) => descriptor(layerType, layer))
  }
  const manifest = JSON.stringify((change.manifest ?? ((all) => all))(parts))
  const entries = (change.entries ?? ((one) => [one]))(descriptor(manifestType, manifest))
  const index = { schemaVersion: 2, mediaType: types.index, manifests: entries }
  const blobs = [manifest, config, ...layers, ...(change.blobs ?? [])]
  const files: ReadonlyArray<File> = [
    ["oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })],
    ["index.json", JSON.stringify((change.index ?? ((all) => all))(index))],
    ...blobs.map((bytes) => [`blobs/${digestOf(bytes).replace(":", "/")}`, bytes] as const)
  ]
  return (change.files ?? ((all) => all))(files)
})

/** An OCI archive. */
export const oci = (change: OciChange = {}) => Effect.flatMap(ociFiles(change), (files) => tar(files))

/** A header block and its content as other programs write them. */
export const rawEntry = (header: {
  readonly name: string
  readonly typeflag: string
  readonly content?: string
  /** POSIX's by default; older tars wrote none. */
  readonly magic?: string
  readonly mtime?: string
}) => {
  const { content = "", magic = "ustar\u000000", mtime = "00000000001", name, typeflag } = header
  const block = Buffer.alloc(512)
  const fields: ReadonlyArray<readonly [number, string]> = [
    [0, name],
    [100, "0000644\0"],
    [108, "0000000\0"],
    [116, "0000000\0"],
    [124, `${content.length.toString(8).padStart(11, "0")}\0`],
    [136, `${mtime}\0`],
    [148, " ".repeat(8)],
    [156, typeflag],
    [257, magic]
  ]
  for (const [offset, text] of fields) block.write(text, offset, "latin1")
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1")
  return Buffer.concat([block, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)])
}

/** A tar of raw entries. */
export const rawTar = (...entries: ReadonlyArray<Uint8Array>) => Buffer.concat([...entries, Buffer.alloc(1024)])
