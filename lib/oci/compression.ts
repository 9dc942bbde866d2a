/**
 * Tells gzip and zstd by their first bytes and unpacks them as a stream.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Stream } from "effect"
import { createGunzip, createZstdDecompress } from "node:zlib"
import { mediaTypes } from "./image.ts"
import { notAnImage } from "./refusal.ts"
import type { Failure } from "./result.ts"

export type Compression = "gzip" | "zstd" | "none"

/** RFC 1952 and RFC 8878 name the magic numbers. */
export const compressionOf = (head: Uint8Array): Compression =>
  head[0] === 0x1f && head[1] === 0x8b
    ? "gzip"
    : head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd
      ? "zstd"
      : "none"

/** What the layer is called in a manifest: layers stay as the archive has them. */
export const layerMediaType = { gzip: mediaTypes.layerGzip, zstd: mediaTypes.layerZstd, none: mediaTypes.layer }

/** The bytes behind the compression; a broken stream fails as NotAnImage. */
export const decompress = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  compression: Compression
): Stream.Stream<Uint8Array, E | Failure, R> =>
  compression === "none"
    ? bytes
    : NodeStream.pipeThroughDuplex(bytes, {
        evaluate: () => (compression === "gzip" ? createGunzip() : createZstdDecompress()),
        onError: (error) => notAnImage(`The ${compression} data is broken: ${String(error)}.`),
        // Few reads per pull: each is 16 KiB, and more would pile up in memory before they are written.
        chunkSize: 16
      })
