/** Images in OCI's form that differ in what the layout holds. */
import { Effect } from "effect"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { digestOf } from "../oci/archives.ts"
import { type Bytes, configOf, descriptor, type File, oci, ociFiles, plainLayers, types } from "./make.ts"
import { row, type Row } from "./row.ts"

const gzip = (bytes: Uint8Array) => gzipSync(bytes)
const typed = (suffix: string, pack: (bytes: Uint8Array) => Uint8Array, layerType = types.layer) =>
  Effect.flatMap(plainLayers, (plain) => oci({ layers: plain.map(pack), plain, layerType: layerType + suffix }))
const zstd = (bytes: Uint8Array) => zstdCompressSync(bytes)

/** index.json leads to an index of this type with these entries beside the image's own. */
const nested = (
  mediaType: string,
  entries: (own: object) => ReadonlyArray<object>,
  blobs: ReadonlyArray<Bytes> = [],
  own: object = {}
) =>
  oci({
    blobs: [],
    entries: (manifest) => [{ ...manifest, nested: true, ...own }],
    files: (files) => {
      const [layout, index = ["", ""], ...rest] = files
      const [, text] = index
      const { manifests } = JSON.parse(String(text))
      const inner = JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries(manifests[0]) })
      const top = JSON.stringify({ schemaVersion: 2, manifests: [descriptor(mediaType, inner)] })
      const added: ReadonlyArray<File> = [inner, ...blobs].map(
        (bytes) => [`blobs/${digestOf(bytes).replace(":", "/")}`, bytes] as const
      )
      return [...(layout === undefined ? [] : [layout]), ["index.json", top], ...rest, ...added]
    }
  })

/** Another image of the same layers. */
const other = Effect.gen(function* () {
  const layers = yield* plainLayers
  const config = configOf({ layers, document: (all) => ({ ...all, author: "me" }) })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: descriptor(types.config, config),
    layers: layers.map((layer) => descriptor(types.layer, layer))
  })
  return { manifest, blobs: [manifest, config] }
})

const amd64 = { platform: { os: "linux", architecture: "amd64" } }
const arm64 = { platform: { os: "linux", architecture: "arm64" } }
const gone = descriptor(types.manifest, "not in the archive")
const attestation = JSON.stringify({
  schemaVersion: 2,
  mediaType: types.manifest,
  config: descriptor(types.config, "{}"),
  layers: []
})
const ref = (name: string) => ({ annotations: { "org.opencontainers.image.ref.name": name } })

export const ociArchives: ReadonlyArray<Row> = [
  row("a plain OCI archive", oci()),
  row(
    "two tags for one manifest",
    oci({
      entries: (one) => [
        { ...one, ...ref("1.4.2") },
        { ...one, ...ref("latest") }
      ]
    })
  ),
  row(
    "Docker's media types",
    oci({ manifestType: types.dockerManifest, configType: types.dockerConfig, layerType: types.dockerLayer })
  ),
  row(
    "Docker's manifest list",
    nested(types.dockerList, (own) => [
      { ...own, ...amd64 },
      { ...gone, ...arm64 }
    ])
  ),
  row(
    "an index in the index",
    nested(types.index, (own) => [own])
  ),
  row(
    "buildx's attestation beside the image",
    nested(
      types.index,
      (own) => [
        { ...own, ...amd64 },
        { ...descriptor(types.manifest, attestation), platform: { os: "unknown", architecture: "unknown" } }
      ],
      [attestation]
    )
  ),
  row(
    "an image for another machine that is not there",
    oci({
      entries: (one) => [
        { ...one, ...amd64 },
        { ...gone, ...arm64 }
      ]
    })
  ),
  row("an image for any machine that is not there", oci({ entries: (one) => [one, gone] }), {
    names: /does not contain/u
  }),
  row("only an image for another machine", oci({ entries: (one) => [{ ...one, ...arm64 }] }), {
    names: /linux\/arm64/u
  }),
  row(
    "an index for another machine only",
    nested(types.index, (own) => [{ ...own, ...arm64 }]),
    { names: /linux\/arm64/u }
  ),
  row(
    "the platform named as uname does",
    oci({ entries: (one) => [{ ...one, platform: { os: "linux", architecture: "x86_64" } }] })
  ),
  row(
    "a platform that the configuration does not have",
    oci({
      document: (all) => ({ ...all, architecture: "arm64" }),
      entries: (one) => [{ ...one, ...amd64 }]
    }),
    { names: /linux\/arm64/u }
  ),
  row("platform null", oci({ entries: (one) => [{ ...one, platform: null, annotations: null, urls: null }] })),
  row(
    "an artifact beside the image",
    oci({ entries: (one) => [one, descriptor("application/vnd.cncf.notary.signature", "none")] })
  ),
  row("a manifest of no known type", oci({ manifestType: "application/json" }), { names: /contains 0 images/u }),
  row("no manifests", oci({ entries: () => [] }), { names: /contains 0 images/u }),
  row("manifests null", oci({ index: (index) => ({ ...index, manifests: null }) }), { names: /contains 0 images/u }),
  row("manifests an object", oci({ index: (index) => ({ ...index, manifests: {} }) }), {
    names: /manifests is an object/u
  }),
  row("a size as a text", oci({ entries: (one) => [{ ...one, size: "7" }] }), { names: /size/u }),
  row("a size with a fraction", oci({ entries: (one) => [{ ...one, size: 7.5 }] }), { names: /size/u }),
  row("a size that is wrong", oci({ entries: (one) => [{ ...one, size: 7 }] })),
  row("an annotation that is a number", oci({ entries: (one) => [{ ...one, annotations: { a: 1 } }] }), {
    names: /annotations/u
  }),
  row("schemaVersion missing", oci({ index: ({ ...index }) => ({ ...index, schemaVersion: undefined }) })),
  row("schemaVersion as a text", oci({ index: (index) => ({ ...index, schemaVersion: "2" }) }), {
    names: /schemaVersion/u
  }),
  row("a manifest that calls itself an index", oci({ manifest: (all) => ({ ...all, mediaType: types.index }) }), {
    names: /mediaType/u
  }),
  row("a manifest with manifests", oci({ manifest: (all) => ({ ...all, manifests: null }) }), { names: /mediaType/u }),
  row("a manifest of Docker's first schema", oci({ manifest: (all) => ({ ...all, fsLayers: [] }) }), {
    names: /schema 1/u
  }),
  row("a manifest without its own type", oci({ manifest: (all) => ({ ...all, mediaType: undefined }) })),
  row("a subject and annotations", oci({ manifest: (all) => ({ ...all, subject: gone, annotations: { a: "b" } }) })),
  row("a configuration of another type", oci({ configType: "application/vnd.cncf.helm.config.v1+json" }), {
    names: /config has the mediaType/u
  }),
  row(
    "a configuration that is only in its descriptor",
    oci({
      manifest: (all) => ({ ...all, config: { ...all.config, data: Buffer.from(configText()).toString("base64") } }),
      files: (files) => files.filter(([, bytes]) => String(bytes) !== configText())
    }),
    { names: /does not contain/u }
  ),
  row("data that is no base64", oci({ manifest: (all) => ({ ...all, config: { ...all.config, data: "%" } }) }), {
    names: /config\.data/u
  }),
  row(
    "a layer that is no layer beside the others",
    oci({
      manifest: (all) => ({ ...all, layers: [...all.layers, descriptor("application/vnd.in-toto+json", "not here")] })
    })
  ),
  row(
    "a layer of no known packing",
    typed("", (bytes) => bytes, "application/vnd.oci.image.layer.v2.tar"),
    { names: /mediaType/u }
  ),
  row(
    "an erofs layer",
    typed("", (bytes) => bytes, "application/vnd.erofs.layer.v1"),
    { names: /mediaType/u }
  ),
  row(
    "a layer that may not be distributed",
    typed("", (bytes) => bytes, "application/vnd.oci.image.layer.nondistributable.v1.tar")
  ),
  row("Docker's foreign layers", typed("", gzip, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")),
  row("+gzip", typed("+gzip", gzip)),
  row("+zstd", typed("+zstd", zstd)),
  row(
    "+gzip that is plain, as skopeo writes it",
    typed("+gzip", (bytes) => bytes)
  ),
  row("+gzip that is zstd", typed("+gzip", zstd)),
  row("a plain type that is gzip", typed("", gzip), { names: /Layer 1 is compressed/u }),
  row("Docker's plain type that is gzip", typed("", gzip, types.dockerLayer)),
  row(
    "+encrypted",
    typed("+encrypted", (bytes) => bytes)
  ),
  row("+encrypted that is gzip", typed("+gzip+encrypted", gzip)),
  row("a layer that is not there, in OCI's form", oci({ files: (files) => files.slice(0, -1) }), {
    names: /does not contain/u
  }),
  row(
    "a blob that is not what it is called",
    oci({
      files: (files) => files.map(([name, bytes], index) => [name, index === 4 ? `${String(bytes)} ` : bytes] as const)
    }),
    { names: /does not contain/u }
  ),
  row(
    "blobs under other names",
    oci({ files: (files) => files.map(([name, bytes]) => [name.replace("blobs/sha256", "x"), bytes] as const) })
  ),
  row("digests of sha512", oci({ entries: (one) => [{ ...one, digest: `sha512:${"0".repeat(128)}` }] }), {
    names: /does not contain/u
  }),
  row("a digest that is none", oci({ entries: (one) => [{ ...one, digest: "latest" }] }), {
    names: /does not contain/u
  }),
  row("no index.json", oci({ files: (files) => files.filter(([name]) => name !== "index.json") }), {
    names: /index\.json/u
  }),
  row("no oci-layout", oci({ files: (files) => files.slice(1) }), { names: /oci-layout/u }),
  row(
    "oci-layout of another version",
    oci({ files: ([, ...files]) => [["oci-layout", '{"imageLayoutVersion":"1.1.0"}'], ...files] }),
    { names: /imageLayoutVersion/u }
  ),
  row(
    "two images for this machine, in OCI's form",
    Effect.flatMap(other, ({ manifest, blobs }) =>
      oci({ blobs, entries: (one) => [one, descriptor(types.manifest, manifest)] })
    ),
    { because: "which one is meant nobody can know" }
  ),
  row(
    "two images for this machine in one index, the first of which counts",
    Effect.flatMap(other, ({ manifest, blobs }) =>
      nested(
        types.index,
        (own) => [
          { ...own, ...amd64 },
          { ...descriptor(types.manifest, manifest), ...amd64 }
        ],
        blobs
      )
    )
  ),
  row(
    "i386 before amd64 in one index",
    nested(
      types.index,
      (own) => [
        { ...descriptor(types.manifest, attestation), platform: { os: "linux", architecture: "386" } },
        { ...own, ...amd64 }
      ],
      [attestation]
    )
  ),
  row(
    "indexes that lead nowhere but to themselves are none",
    oci({ entries: () => [{ ...gone, mediaType: types.index }] }),
    { names: /does not contain/u }
  ),
  row("a folder", ociFiles()),
  row(
    "a folder in Docker's form",
    Effect.map(plainLayers, ([one, two]) => [
      ["a.tar", one],
      ["b.tar", two],
      ["config.json", configOf({ layers: [one, two] })],
      ["manifest.json", JSON.stringify([{ Config: "config.json", RepoTags: null, Layers: ["a.tar", "b.tar"] }])]
    ])
  ),
  row("a folder that is none", Effect.succeed([["a.txt", "none"]]), { names: /neither a manifest\.json/u })
]

function configText() {
  return String(configOf({ layers: Effect.runSync(plainLayers) }))
}
