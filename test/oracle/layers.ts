/** Images that differ in what one of their layers holds. */
import { Effect } from "effect"
import { Tar } from "effect/encoding"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { docker, entry, layerOf, rawEntry, rawTar } from "./make.ts"
import { row, type Row } from "./row.ts"

const holding = (...entries: ReadonlyArray<Tar.Entry>) =>
  Effect.flatMap(layerOf(...entries), (layer) => docker({ layers: [layer] }))
const file = Tar.file("usr/bin/perlbug", "perl", { mode: 0o755 })

/** A layer as it is in the archive, and what it unpacks to. */
const packed = (pack: (plain: Uint8Array) => Uint8Array) =>
  Effect.flatMap(layerOf(file), (plain) => docker({ layers: [pack(plain)], plain: [plain] }))
const bytes = (change: (plain: Uint8Array) => Uint8Array) =>
  Effect.flatMap(layerOf(file, Tar.file("b", "b".repeat(600))), (plain) => docker({ layers: [change(plain)] }))

const contents: ReadonlyArray<Row> = [
  row("an entry for / itself", holding(Tar.directory("/"), Tar.directory("usr/"), file)),
  row("an entry for ./ itself", holding(Tar.directory("./"), file)),
  row("names that begin with / and ./", holding(Tar.file("/a", "x"), Tar.file("./b", "x"), Tar.file("c//d", "x"))),
  row("a hard link", holding(file, Tar.hardlink("usr/bin/perlthanks", "usr/bin/perlbug"))),
  row(
    "a hard link to a name that begins with /",
    holding(file, Tar.hardlink("usr/bin/perlthanks", "/usr/bin/perlbug"))
  ),
  row("a hard link to a name that begins with ./", holding(file, Tar.hardlink("a", "./usr/bin/perlbug"))),
  row("a hard link to a symbolic link", holding(Tar.symlink("a", "/gone"), Tar.hardlink("b", "a"))),
  row(
    "a hard link behind a symbolic link",
    holding(Tar.directory("usr/bin"), file, Tar.symlink("bin", "usr/bin"), Tar.hardlink("a", "bin/perlbug"))
  ),
  row("a hard link to nothing", holding(file, Tar.hardlink("a", "usr/bin/perl")), {
    names: /a is a hard link to usr\/bin\/perl, which/u
  }),
  row("a hard link to a file that comes later", holding(Tar.hardlink("a", "usr/bin/perlbug"), file), {
    names: /a is a hard link/u
  }),
  row("a hard link to a folder", holding(Tar.directory("b"), Tar.hardlink("a", "b")), { names: /a is a hard link/u }),
  row("a hard link to itself", holding(Tar.file("a", "x"), Tar.hardlink("a", "a")), { names: /a is a hard link/u }),
  row(
    "a hard link to a file of a lower layer",
    Effect.gen(function* () {
      return yield* docker({ layers: [yield* layerOf(file), yield* layerOf(Tar.hardlink("a", "usr/bin/perlbug"))] })
    }),
    { names: /a is a hard link/u }
  ),
  row(
    "a hard link to what a whiteout removed",
    holding(file, Tar.file("usr/.wh.gone", ""), Tar.hardlink("a", "usr/gone")),
    { names: /a is a hard link/u }
  ),
  row("a file below a file", holding(Tar.file("a", "x"), Tar.file("a/b", "x")), { names: /a\/b/u }),
  row(
    "a folder in place of a file, and something in it",
    holding(Tar.file("a", "x"), Tar.directory("a"), Tar.file("a/b", "x"))
  ),
  row("a file in place of a folder", holding(Tar.directory("a"), Tar.file("a/b", "x"), Tar.file("a", "x"))),
  row("a file below a symbolic link", holding(Tar.symlink("a", "/b"), Tar.file("a/c", "x"))),
  row("a symbolic link to nowhere", holding(Tar.symlink("a", "../../../b"))),
  row("a symbolic link to nothing at all", holding(Tar.symlink("a", "")), { names: /a is a symbolic link/u }),
  row("a symbolic link to itself", holding(Tar.symlink("a", "a"))),
  row(
    "a whiteout, and one of a folder",
    holding(Tar.file("usr/.wh.gone", ""), Tar.file("a/.wh..wh..opq", ""), Tar.file("a/b", "x"))
  ),
  row("aufs's own files", holding(Tar.file(".wh..wh.plnk", ""), Tar.file(".wh..wh.aufs", ""))),
  row("a whiteout of nothing", holding(Tar.file("a/.wh.", "")), { names: /whiteout/u }),
  row("a whiteout of the folder above", holding(Tar.file("a/.wh...", "")), { names: /whiteout/u }),
  row("a name in which .. is only a part", holding(Tar.file("a..b/..c", "x"))),
  row(
    "long names",
    holding(Tar.file(`${"d/".repeat(64)}file`, "x"), Tar.file(`${"é".repeat(100)}/${"ü".repeat(100)}`, "x"))
  ),
  row("a name of 300 bytes", holding(Tar.file("n".repeat(300), "x")), { names: /over 255/u }),
  row("extended attributes of the user's", holding(Tar.file("a", "x", { pax: { "SCHILY.xattr.user.note": "mine" } }))),
  row("a contiguous file", docker({ layers: [rawTar(rawEntry({ name: "a", typeflag: "7", content: "x" }))] }), {
    names: /of a kind/u
  }),
  row("an entry of no known kind", holding(entry("a", { type: "Other", typeflag: "V" })), { names: /of a kind/u }),
  row(
    "a tar older than POSIX",
    docker({ layers: [rawTar(rawEntry({ name: "a", typeflag: "\0", magic: "", content: "x" }))] })
  ),
  row("a tar of GNU's", docker({ layers: [rawTar(rawEntry({ name: "a", typeflag: "0", magic: "ustar  \0" }))] })),
  row(
    "a number padded with blanks",
    docker({ layers: [rawTar(rawEntry({ name: "a", typeflag: "0", mtime: "      7 " }))] })
  ),
  row(
    "a file with holes, as GNU tar wrote it",
    docker({ layers: [rawTar(rawEntry({ name: "a", typeflag: "S", magic: "ustar  \0" }))] }),
    {
      names: /sparse/u
    }
  ),
  row(
    "a file with holes, as tar --sparse writes it",
    docker({
      layers: [
        rawTar(
          rawEntry({
            name: "x",
            typeflag: "x",
            content:
              "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n21 GNU.sparse.name=a\n30 GNU.sparse.realsize=100000\n"
          }),
          rawEntry({ name: "a", typeflag: "0", content: `${"1\n99999\n1\n".padEnd(512, "\0")}x` })
        )
      ]
    }),
    { because: "it takes more of a node than its bytes show" }
  ),
  row("a file that a whiteout of the same layer removes later", holding(file, Tar.file("usr/bin/.wh.perlbug", "")), {
    names: /removes usr\/bin\/perlbug/u
  }),
  row("a file in place of what a whiteout removed", holding(Tar.file("usr/bin/.wh.perlbug", ""), file)),
  row("a folder with what a whiteout removed", holding(Tar.file(".wh.usr", ""), file), { names: /below usr/u }),
  row("links in a circle", holding(Tar.symlink("a", "b"), Tar.symlink("b", "a"), Tar.file("a/c", "x")), {
    names: /loop/u
  }),
  row(
    "folders that are there by their files only",
    holding(Tar.file("a/b/c", "x"), Tar.hardlink("a/d", "a/b/c"), Tar.directory("a/b"))
  ),
  row("a hard link to a hard link", holding(file, Tar.hardlink("a", "usr/bin/perlbug"), Tar.hardlink("b/c", "a"))),
  row(
    "a hard link behind a link to the root",
    holding(file, Tar.symlink("x", "/"), Tar.hardlink("x/y", "x/usr/bin/perlbug"))
  ),
  row(
    "a name that ends with /, of a file",
    docker({ layers: [rawTar(rawEntry({ name: "a/", typeflag: "0", content: "x" }))] })
  ),
  row("setgid on a folder", holding(Tar.directory("var/mail", { mode: 0o2775 }))),
  row("files of others", holding(Tar.file("a", "x", { uid: 65534, gid: 70_000 }))),
  row(
    "times before 1970 and after 2038",
    holding(Tar.file("a", "x", { mtime: new Date(-1e12) }), Tar.file("b", "x", { mtime: new Date(4e12) }))
  ),
  row("a setuid file", holding(Tar.file("bin/su", "x", { mode: 0o4755 })), {
    because: "a privilege for whoever gets at it on the node"
  }),
  row(
    "file capabilities",
    holding(
      Tar.file("bin/ping", "x", {
        pax: {
          "SCHILY.xattr.security.capability":
            "\u0001\u0000\u0000\u0002\u0000\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000"
        }
      })
    ),
    { because: "a privilege, as setuid" }
  ),
  row("a device", holding(entry("dev/null", { type: "CharDevice", devMajor: 1, devMinor: 3 })), {
    because: "the node's own device, for whoever gets at it"
  }),
  row("a FIFO", holding(entry("run/pipe", { type: "Fifo" })), { because: "whoever opens it on the node waits" }),
  row("a name that climbs", holding(Tar.file("a/../b", "x")), {
    because: "readers differ on what it is below a symbolic link"
  }),
  row("a hard link that climbs", holding(file, Tar.hardlink("a", "usr/../usr/bin/perlbug")), {
    because: "as with names"
  }),
  row("a file whose name ends with /", docker({ layers: [rawTar(rawEntry({ name: "a/", typeflag: "\0" }))] }), {
    because: "readers differ on whether it has content"
  })
]

const packings: ReadonlyArray<Row> = [
  row("an empty layer", docker({ layers: [new Uint8Array(1024)] })),
  row("a layer of no bytes", docker({ layers: [new Uint8Array()] })),
  row(
    "the same layer three times",
    Effect.flatMap(layerOf(file), (layer) => docker({ layers: [layer, layer, layer] }))
  ),
  row(
    "one layer, plain and packed",
    Effect.flatMap(layerOf(file), (plain) =>
      docker({ layers: [plain, gzipSync(plain), zstdCompressSync(plain)], plain: [plain, plain, plain] })
    )
  ),
  row(
    "a gzip layer",
    packed((plain) => gzipSync(plain))
  ),
  row(
    "a gzip layer of two members",
    packed((plain) => Buffer.concat([gzipSync(plain.subarray(0, 600)), gzipSync(plain.subarray(600))]))
  ),
  row(
    "a zstd layer of two frames, with one to skip",
    packed((plain) =>
      Buffer.concat([
        zstdCompressSync(plain.subarray(0, 600)),
        zstdCompressSync(plain.subarray(600)),
        Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9])
      ])
    )
  ),
  row(
    "zeros behind a gzip layer",
    packed((plain) => Buffer.concat([gzipSync(plain), Buffer.alloc(100)])),
    { names: /gzip data is broken/u }
  ),
  row(
    "something behind a gzip layer",
    packed((plain) => Buffer.concat([gzipSync(plain), Buffer.from("garbage behind it")])),
    { names: /gzip data is broken/u }
  ),
  row(
    "something behind a zstd layer",
    packed((plain) => Buffer.concat([zstdCompressSync(plain), Buffer.from("garbage behind it")])),
    { names: /zstd data is broken/u }
  ),
  row(
    "a gzip layer that is cut",
    packed((plain) => gzipSync(plain).subarray(0, -9)),
    { names: /gzip data is broken/u }
  ),
  row(
    "the diff id of the packed bytes",
    Effect.flatMap(layerOf(file), (plain) => docker({ layers: [gzipSync(plain)], plain: [gzipSync(plain)] })),
    { names: /diff id/u }
  ),
  row(
    "no end of a layer's tar",
    bytes((plain) => plain.subarray(0, -1024))
  ),
  row(
    "something behind a layer's tar",
    bytes((plain) => Buffer.concat([plain, Buffer.from("garbage")]))
  ),
  row(
    "a layer that is cut in a file",
    bytes((plain) => plain.subarray(0, 1800)),
    { names: /Layer 1 cannot be read/u }
  ),
  row(
    "a layer that is cut behind a file's content",
    bytes((plain) => plain.subarray(0, 1024 + 512 + 600)),
    {
      because: "nothing tells it from a file that was cut"
    }
  ),
  row(
    "a layer that is no tar",
    bytes(() => Buffer.alloc(1024, "no tar")),
    { names: /Layer 1 cannot be read/u }
  ),
  row(
    "128 layers",
    Effect.flatMap(layerOf(file), (layer) => docker({ layers: Array.from({ length: 128 }, () => layer) })),
    {
      because: "overlayfs mounts no more"
    }
  )
]

export const layers: ReadonlyArray<Row> = [...contents, ...packings]
