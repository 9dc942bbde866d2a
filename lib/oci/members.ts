/**
 * Unpacks compressed data of several parts that follow each other, as gzip's
 * members and zstd's frames: pzstd, zstd:chunked and `cat a.gz b.gz` write so.
 * node:zlib by itself ends at the first zstd frame when the next begins in the
 * same chunk, and passes over zeros behind a gzip member, which containerd
 * takes for damage.
 */
import { Duplex } from "node:stream"
import type { createGunzip, createZstdDecompress } from "node:zlib"

type Decoder = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>

/** Decoders of `open`, one after the other; `behind` says what becomes of bytes behind the last part that are none. */
export const everyMember = (open: () => Decoder, behind: "refused" | "ignored"): Duplex => {
  let member: Decoder | undefined
  let first = true
  let ignoring = false
  let done: (error?: Error) => void = () => {}

  const start = () => {
    const decoder = open()
    decoder.on("data", (bytes) => {
      if (!outer.push(bytes)) decoder.pause()
    })
    decoder.on("error", (error) => {
      // zlib says this of a header only, and looks for the next one itself; the first was known by its magic number.
      const isBehind = !first || error.message === "incorrect header check"
      if (behind === "refused" || !isBehind) return outer.destroy(error)
      ignoring = true
      done()
    })
    member = decoder
    return decoder
  }

  const feed = (chunk: Uint8Array) => {
    if (ignoring || chunk.length === 0) return done()
    const decoder = member ?? start()
    const before = decoder.bytesWritten
    const ended = () => {
      member = undefined
      first = false
      feed(chunk.subarray(decoder.bytesWritten - before))
    }
    decoder.once("end", ended)
    decoder.write(chunk, (error) => {
      // What is left over belongs to the next part, once this one has ended.
      if ((error ?? undefined) !== undefined || decoder.bytesWritten - before < chunk.length) return
      decoder.off("end", ended)
      done()
    })
  }

  const outer: Duplex = new Duplex({
    read() {
      member?.resume()
    },
    write(chunk: Uint8Array, _encoding, callback) {
      done = callback
      feed(chunk)
    },
    final(callback) {
      const finish = () => {
        outer.push(null)
        callback()
      }
      if (member === undefined || ignoring) return finish()
      done = finish
      member.once("end", finish)
      member.end()
    },
    destroy(error, callback) {
      member?.destroy()
      callback(error)
    }
  })
  return outer
}
