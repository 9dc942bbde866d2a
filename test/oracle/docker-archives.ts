/** Images in Docker's form that differ in what the archive holds. */
import { Effect } from "effect"
import { Tar } from "effect/encoding"
import { configOf, docker, entry, ociFiles, plainLayers } from "./make.ts"
import { row, type Row } from "./row.ts"

/** The second layer again, as Docker wrote it: a link to the first that is the same. */
const linked = (link: Tar.Entry, name = "2/layer.tar") =>
  Effect.flatMap(plainLayers, ([one, two]) =>
    docker(
      { layers: [one, two, two] },
      {
        files: (files) => files.filter(([path]) => path !== "2/layer.tar"),
        list: ([image]) => [{ ...image, Layers: ["0/layer.tar", "1/layer.tar", name] }],
        more: [link]
      }
    )
  )

const renamed = (change: (name: string) => string) =>
  docker({}, { files: (files) => files.map(([name, bytes]) => [change(name), bytes] as const) })
const listed = (change: object) => docker({}, { list: ([image]) => [{ ...image, ...change }] })

/** A second image, for another architecture or of other content. */
const second = (architecture: string, more: object = {}) =>
  Effect.map(plainLayers, (layers) => configOf({ layers, document: (all) => ({ ...all, architecture, ...more }) }))

const twoImages = (architecture: string, more: object = {}) =>
  Effect.flatMap(second(architecture, more), (config) =>
    docker(
      {},
      {
        files: (files) => [...files, ["second.json", config]],
        list: ([image]) => [{ ...image, Config: "second.json", RepoTags: ["second:1"] }, image ?? {}]
      }
    )
  )

export const dockerArchives: ReadonlyArray<Row> = [
  row("a layer that is a link to another", linked(Tar.symlink("2/layer.tar", "../1/layer.tar"))),
  row("a link that begins with /", linked(Tar.symlink("2/layer.tar", "/../1/layer.tar"))),
  row("a link to nothing", linked(Tar.symlink("2/layer.tar", "../7/layer.tar")), {
    names: /2\/layer\.tar is a symbolic link to 7\/layer\.tar/u
  }),
  row("a link out of the archive", linked(Tar.symlink("2/layer.tar", "../../../etc/passwd")), {
    names: /symbolic link to/u
  }),
  row("a link to itself", linked(Tar.symlink("2/layer.tar", "layer.tar")), { names: /symbolic link/u }),
  row("a link whose name begins with ./", linked(Tar.symlink("./2/layer.tar", "../1/layer.tar")), {
    names: /2\/layer\.tar/u
  }),
  row("a layer that is a hard link", linked(Tar.hardlink("2/layer.tar", "1/layer.tar")), {
    names: /2\/layer\.tar is a Hardlink/u
  }),
  row("a link to nothing that no layer is named by", docker({}, { more: [Tar.symlink("latest", "gone")] }), {
    names: /latest is a symbolic link/u
  }),
  row(
    "a configuration that is a link",
    docker(
      {},
      {
        list: ([image]) => [{ ...image, Config: "linked.json" }],
        more: [Tar.symlink("linked.json", "config.json")]
      }
    )
  ),
  row(
    "names that begin with ./",
    renamed((name) => `./${name}`)
  ),
  row(
    "names that begin with .//",
    renamed((name) => `.//x/../${name}`)
  ),
  row(
    "names that begin with /",
    renamed((name) => `/${name}`),
    { names: /neither a manifest\.json/u }
  ),
  row("folders as entries", docker({}, { more: [Tar.directory("0/"), Tar.directory("./")] })),
  row(
    "Docker's older files beside it",
    docker(
      {},
      {
        files: (files) => [...files, ["repositories", '{"else":{"1":"0"}}'], ["0/VERSION", "1.0"], ["0/json", "{}"]]
      }
    )
  ),
  row(
    "files that belong to nothing",
    docker({}, { more: [Tar.file("../outside", "x"), entry("pipe", { type: "Fifo" })] })
  ),
  row(
    "long names, in pax headers",
    Effect.flatMap(plainLayers, (layers) =>
      docker(
        { layers },
        {
          files: (files) => files.map(([name, bytes]) => [name.replace("0/", `${"a".repeat(150)}/`), bytes] as const),
          list: ([image]) => [{ ...image, Layers: [`${"a".repeat(150)}/layer.tar`, "1/layer.tar"] }]
        }
      )
    )
  ),
  row(
    "a file twice, the second of which counts",
    docker({}, { files: (files) => [["config.json", "none"], ...files] })
  ),
  row("manifest.json first", docker({}, { files: (files) => files.toReversed() })),
  row("manifest.json with something behind", docker({}, { listText: (text) => `${text} []x` })),
  row("manifest.json null", docker({}, { list: () => null }), { names: /neither a manifest\.json/u }),
  row("manifest.json an object", docker({}, { list: ([image]) => image }), { names: /manifest\.json .*a list/u }),
  row("no image", docker({}, { list: () => [] }), { names: /contains 0 images/u }),
  row("RepoTags null", listed({ RepoTags: null })),
  row("RepoTags a text", listed({ RepoTags: "else:1" }), { names: /RepoTags .*\["name:tag"\]/u }),
  row("RepoTags two", listed({ RepoTags: ["else:1", "else:2"] })),
  row("RepoTags in capitals", listed({ RepoTags: ["Else:1"] }), { names: /RepoTags/u }),
  row("RepoTags nothing", listed({ RepoTags: [""] }), { names: /RepoTags/u }),
  row("RepoTags with a digest", listed({ RepoTags: [`else@sha256:${"0".repeat(64)}`] })),
  row(
    "keys in small letters",
    docker({}, { listText: (text) => text.replace('"Config"', '"config"').replace('"Layers"', '"LAYERS"') })
  ),
  row("Layers null", listed({ Layers: null }), { names: /0 layers/u }),
  row("Layers a text", listed({ Layers: "0/layer.tar" }), { names: /Layers/u }),
  row("a layer that is not there", listed({ Layers: ["0/layer.tar", "9/layer.tar"] }), { names: /9\/layer\.tar/u }),
  row("a layer named by ./", listed({ Layers: ["./0/layer.tar", "1/layer.tar"] }), { names: /\.\/0\/layer\.tar/u }),
  row("a configuration that is not there", listed({ Config: "other.json" }), { names: /other\.json/u }),
  row("a layer too few", listed({ Layers: ["0/layer.tar"] }), { names: /1 layers/u }),
  row("the layers the other way round", listed({ Layers: ["1/layer.tar", "0/layer.tar"] }), { names: /diff id/u }),
  row("the same image twice", docker({}, { list: ([image]) => [image, { ...image, RepoTags: ["other:1"] }] })),
  row("an image for another machine beside", twoImages("arm64")),
  row("two images for this machine", twoImages("amd64", { author: "me" }), {
    because: "which one is meant nobody can know"
  }),
  row("a broken image for another machine beside", twoImages("arm64", { os: 7 }), { names: /os is a number/u }),
  row("no layers", docker({ layers: [] }), { names: /no layers/u }),
  row(
    "an OCI layout of the same beside it",
    Effect.gen(function* () {
      return yield* docker({}, { more: (yield* ociFiles()).map(([name, bytes]) => Tar.file(name, bytes)) })
    })
  ),
  row(
    "a broken OCI layout beside it",
    docker({}, { more: [Tar.file("oci-layout", '{"imageLayoutVersion":"1.0.0"}')] }),
    { names: /index\.json/u }
  ),
  row("an index.json without oci-layout beside it", docker({}, { more: [Tar.file("index.json", "none")] })),
  row("1000 files", docker({}, { more: Array.from({ length: 1000 }, (_, n) => Tar.file(`f${n}`, "")) }), {
    because: "no image has so many, and each takes an inode of the cache"
  })
]
