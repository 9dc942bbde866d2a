/** Images that differ in how the archive is packed. */
import { Effect } from "effect"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { docker } from "./make.ts"
import { row, type Row } from "./row.ts"

const packed = (pack: (bytes: Uint8Array) => Uint8Array) => Effect.map(docker(), pack)

const gzip = (bytes: Uint8Array) => gzipSync(bytes)
const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])
const halves = (pack: (bytes: Uint8Array) => Uint8Array) => (bytes: Uint8Array) =>
  Buffer.concat([pack(bytes.subarray(0, 700)), pack(bytes.subarray(700))])

export const packings: ReadonlyArray<Row> = [
  row("gzip", packed(gzip)),
  row(
    "zstd",
    packed((bytes) => zstdCompressSync(bytes))
  ),
  row("gzip of two members", packed(halves(gzip))),
  row("zstd of two frames", packed(halves((bytes) => zstdCompressSync(bytes)))),
  row(
    "zstd behind a frame to skip",
    packed((bytes) => Buffer.concat([skipped, zstdCompressSync(bytes)]))
  ),
  row(
    "something behind the gzip data",
    packed((bytes) =>
      Buffer.concat([gzip(Buffer.concat([bytes, Buffer.alloc(200_000)])), Buffer.from("garbage behind")])
    )
  ),
  row(
    "zeros behind the gzip data",
    packed((bytes) => Buffer.concat([gzip(Buffer.concat([bytes, Buffer.alloc(200_000)])), Buffer.alloc(1024)]))
  ),
  row(
    "gzip that is cut",
    packed((bytes) => gzip(bytes).subarray(0, 300)),
    { names: /gzip data is broken/u }
  ),
  row(
    "zstd that is cut",
    packed((bytes) => zstdCompressSync(bytes).subarray(0, 200)),
    { names: /zstd data is broken/u }
  ),
  row(
    "gzip in gzip",
    packed((bytes) => gzip(gzip(bytes))),
    { names: /cannot be read/u }
  ),
  row(
    "no end of the tar",
    packed((bytes) => bytes.subarray(0, bytes.length - 1024))
  ),
  row(
    "half an end of the tar",
    packed((bytes) => bytes.subarray(0, bytes.length - 512))
  ),
  row(
    "something behind the tar",
    packed((bytes) => Buffer.concat([bytes, Buffer.from("garbage behind")]))
  ),
  row(
    "a tar that is cut",
    packed((bytes) => bytes.subarray(0, 1800)),
    { names: /cannot be read/u }
  ),
  row(
    "a wrong checksum",
    packed((bytes) => Buffer.concat([Buffer.from("X"), bytes.subarray(1)])),
    { names: /cannot be read/u }
  ),
  row("nothing at all", Effect.succeed(new Uint8Array()), { names: /neither a manifest/u }),
  row("a text", Effect.succeed(Buffer.from("no image\n")), { names: /cannot be read/u })
]
