/** What a layer may hold, and what it may take of a node. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Tar } from "effect/encoding"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { Limits } from "../../lib/oci/image.ts"
import { makeInspector } from "../../lib/oci/layer.ts"
import { convert } from "../../lib/oci/layout.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { archiveOf, collect, digestOf, withArchive } from "./archives.ts"

const convertBytes = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const { conversion } = yield* withArchive(bytes)
  yield* convert(conversion)
  return yield* openLayout(conversion.layout)
})

const failureOf = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => ({
    reason: "code" in error ? error.code : "no ImageError",
    message: error.message
  }))

/** An entry that `Tar` has no maker for. */
const entry = (path: string, header: Partial<Tar.Header>): Tar.Entry => {
  const file = Tar.file(path, "")
  return { ...file, header: { ...file.header, ...header } }
}

const refused: ReadonlyArray<readonly [string, Tar.Entry, RegExp]> = [
  [
    "a character device",
    entry("dev/mem", { type: "CharDevice", devMajor: 1, devMinor: 1 }),
    /dev\/mem is a character/u
  ],
  ["a block device", entry("dev/sda", { type: "BlockDevice", devMajor: 8, devMinor: 0 }), /is a block device/u],
  ["a FIFO", entry("run/pipe", { type: "Fifo" }), /run\/pipe is a FIFO/u],
  ["an entry of no known kind", entry("odd", { type: "Other", typeflag: "V" }), /of a kind/u],
  ["a setuid file", Tar.file("bin/su", "x", { mode: 0o4755 }), /bin\/su is a setuid/u],
  ["a setgid file", Tar.file("bin/write", "x", { mode: 0o2755 }), /bin\/write is a setuid or setgid/u],
  ["a setuid hard link", { ...Tar.hardlink("bin/su", "bin/ok", { mode: 0o4755 }) }, /setuid/u],
  [
    "file capabilities",
    Tar.file("bin/ping", "x", { pax: { "SCHILY.xattr.security.capability": "\u0001" } }),
    /attribute security\.capability/u
  ],
  [
    "overlayfs's own attributes",
    Tar.file("etc", "x", { pax: { "SCHILY.xattr.trusted.overlay.redirect": "/" } }),
    /attribute trusted\.overlay\.redirect/u
  ],
  ["a name that climbs", Tar.file("../etc/passwd", "x"), /leaves the image's root/u],
  ["a name that climbs on its way", Tar.file("a/b/../../../c", "x"), /leaves the image's root/u],
  ["a hard link that climbs", Tar.hardlink("a", "../../etc/shadow"), /target has \.\. in its name/u],
  ["a hard link that climbs from /", Tar.hardlink("a", "/../etc/shadow"), /target has \.\. in its name/u],
  ["a whiteout of the folder above", Tar.file("a/.wh...", ""), /whiteout that names no file/u],
  ["a whiteout of the folder itself", Tar.file("a/.wh..", ""), /whiteout that names no file/u],
  ["a whiteout without a name", Tar.file("a/.wh.", ""), /whiteout that names no file/u],
  ["a folder 10000 deep", Tar.directory("d/".repeat(10_000)), /path of over 4095/u],
  ["a long name", Tar.file("n".repeat(256), ""), /name of over 255/u],
  ["a long link", Tar.symlink("a", "n/".repeat(3000)), /path of over 4095/u]
]

layer(NodeServices.layer)("a layer", (it) => {
  for (const [name, bad, message] of refused) {
    it.effect(`is refused with ${name}, plain and compressed`, () =>
      Effect.gen(function* () {
        const bytes = yield* collect([Tar.directory("bin"), bad])
        const images = [
          archiveOf({ layers: [bytes] }),
          archiveOf({ layers: [gzipSync(bytes)], diffIds: [digestOf(bytes)] })
        ]
        for (const image of images) {
          const failure = yield* failureOf(convertBytes(yield* image))
          assert.strictEqual(failure.reason, "ForbiddenContent")
          assert.match(failure.message, /^Layer 1: /u)
          assert.match(failure.message, message)
          assert.isBelow(failure.message.length, 400)
        }
      })
    )
  }

  it.effect("may hold what dockerTools and other builders put there", () =>
    Effect.gen(function* () {
      const bytes = yield* collect([
        Tar.directory("./"),
        Tar.directory("/nix"),
        Tar.directory("/nix/store", { mode: 0o1775 }),
        Tar.file("nix/store/x-hello/bin/hello", "x", { mode: 0o555 }),
        Tar.hardlink("./nix/store/x-hello/bin/same", "./nix/store/x-hello/bin/hello"),
        Tar.symlink("bin", "/nix/store/x-hello/bin"),
        // Behind a link: containerd writes it below the image's root wherever the link points.
        Tar.symlink("etc", "../../../elsewhere"),
        Tar.file("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
        Tar.directory("var/mail", { mode: 0o2775 }),
        Tar.file("usr/.wh.gone", ""),
        Tar.file("usr/.wh..wh..opq", ""),
        Tar.file("with-attribute", "x", { pax: { "SCHILY.xattr.user.note": "mine" } }),
        Tar.file(`${"d/".repeat(64)}file`, "x"),
        Tar.file(`${"é".repeat(100)}/${"ü".repeat(100)}`, "x")
      ])
      const zstd = zstdCompressSync(bytes)
      const { layers } = yield* convertBytes(
        yield* archiveOf({ layers: [bytes, gzipSync(bytes), zstd], diffIds: [bytes, bytes, bytes].map(digestOf) })
      )
      assert.lengthOf(layers, 3)
    })
  )

  const empty = new Uint8Array(1024)
  const counts: ReadonlyArray<readonly [number, string]> = [
    [0, "NotAnImage"],
    [1, "fine"],
    [127, "fine"],
    [128, "ImageTooLarge"],
    [500, "ImageTooLarge"]
  ]
  for (const [count, outcome] of counts) {
    it.effect(`${count} of them: ${outcome}`, () =>
      Effect.gen(function* () {
        const image = yield* archiveOf({ layers: Array.from({ length: count }, () => empty) })
        const exit = yield* Effect.match(convertBytes(image), {
          onSuccess: ({ layers }) => {
            assert.lengthOf(layers, count)
            return "fine"
          },
          onFailure: (error) => ("code" in error ? error.code : error.message)
        })
        assert.strictEqual(exit, outcome)
      })
    )
  }

  const zeros = new Uint8Array(5_000_000)
  const bombs: ReadonlyArray<readonly [string, Effect.Effect<Uint8Array>]> = [
    ["a gzip archive", Effect.map(archiveOf({ layers: [zeros] }), (bytes) => gzipSync(bytes))],
    ["a zstd archive", Effect.map(archiveOf({ layers: [zeros] }), (bytes) => zstdCompressSync(bytes))],
    ["a gzip layer", archiveOf({ layers: [gzipSync(zeros)], diffIds: [digestOf(zeros)] })],
    ["a zstd layer", archiveOf({ layers: [zstdCompressSync(zeros)], diffIds: [digestOf(zeros)] })],
    [
      "the same layer many times",
      Effect.suspend(() => {
        const small = zeros.subarray(0, 100_000)
        return archiveOf({ layers: Array(30).fill(gzipSync(small)), diffIds: Array(30).fill(digestOf(small)) })
      })
    ]
  ]
  for (const [name, bomb] of bombs) {
    it.effect(`that is small only while it is packed is refused: ${name}`, () =>
      Effect.gen(function* () {
        const bytes = yield* bomb
        assert.isBelow(bytes.length, 100_000)
        const failure = yield* failureOf(convertBytes(bytes).pipe(limited({ maxImageBytes: 2_000_000 })))
        assert.strictEqual(failure.reason, "ImageTooLarge")
        assert.match(failure.message, /more than 2000000 bytes/u)
      })
    )
  }

  it.effect("of very many small files is read in bounded memory; of too many only so far", () =>
    Effect.gen(function* () {
      const perChunk = 500
      const header = (yield* collect([Tar.file("a", "")])).subarray(0, 512)
      const chunk = Buffer.concat(Array.from({ length: perChunk }, () => header))
      const manyFiles = { digest: "d", compression: "none", diffId: "none", name: "Layer 1", times: 1 } as const
      const read = Effect.fnUntraced(function* (files: number) {
        let readFiles = 0
        const bytes = Stream.unfold(undefined, () =>
          Effect.sync(() => (readFiles === files ? undefined : ((readFiles += perChunk), [chunk, undefined] as const)))
        )
        const { message } = yield* failureOf((yield* makeInspector({ unpacking: true }))(manyFiles, bytes))
        return { message, readFiles }
      })
      const before = process.memoryUsage().rss
      const all = yield* read(200_000)
      assert.match(all.message, /diff id/u, "to the end")
      assert.isBelow(process.memoryUsage().rss - before, 100_000_000)

      const some = yield* read(200_000).pipe(limited({ maxImageFiles: 100_000 }))
      assert.match(some.message, /more than 100000 files/u)
      assert.isBelow(some.readFiles, 110_000)
    })
  )
})

const limited = (limits: Partial<(typeof Limits)["defaultValue"] extends () => infer A ? A : never>) =>
  Effect.provideServiceEffect(
    Limits,
    Effect.map(Limits, (before) => ({ ...before, ...limits }))
  )
