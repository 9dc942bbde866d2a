/**
 * Tells gzip and zstd by their first bytes and unpacks them as a stream.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Stream } from "effect"
import { createGunzip, createZstdDecompress } from "node:zlib"
import { mediaTypes } from "./image.ts"
import { everyMember } from "./members.ts"
import { notAnImage, type ImageError } from "./image-error.ts"

export type Compression = "gzip" | "zstd" | "none"

// What has to be there to tell: RFC 1952 and RFC 8878 name the magic numbers.
export const magicBytes = 8

/** As containerd tells it; a zstd stream may begin with a frame that is to be skipped. */
export const compressionOf = (head: Uint8Array): Compression => {
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 0x08) return "gzip"
  const isZstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd
  const isSkipped =
    head.length >= magicBytes &&
    ((head[0] ?? 0) & 0xf0) === 0x50 &&
    head[1] === 0x2a &&
    head[2] === 0x4d &&
    head[3] === 0x18
  return isZstd || isSkipped ? "zstd" : "none"
}

/** What the layer is called in a manifest: layers stay as the archive has them. */
export const layerMediaType = { gzip: mediaTypes.layerGzip, zstd: mediaTypes.layerZstd, none: mediaTypes.layer }

/**
 * The bytes behind the compression; a broken stream fails as NotAnImage. What
 * stands behind the compressed data is refused in a layer, as containerd
 * refuses it, and ignored in an archive, of which containerd reads no more than
 * the tar needs.
 */
export const decompress = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  compression: Compression,
  behind: "refused" | "ignored"
): Stream.Stream<Uint8Array, E | ImageError, R> =>
  compression === "none"
    ? bytes
    : NodeStream.pipeThroughDuplex(bytes, {
        evaluate: () => everyMember(compression === "gzip" ? createGunzip : createZstdDecompress, behind),
        onError: (error) => notAnImage(`The ${compression} data is broken: ${String(error)}.`),
        // Few reads per pull: each is 16 KiB, and more would pile up in memory before they are written.
        chunkSize: 16
      })
