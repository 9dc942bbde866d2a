/**
 * A set of uids as a text of a bounded size, for a Job to be told of: a Bloom
 * filter. It has every uid that was put in, and some few others, which ones
 * depends on whose filter it is: what one Job takes for there by mistake, the
 * next one does not.
 *
 *     uids        1,000    3,000    6,500    30,000
 *     text       1.7 KB   5.0 KB    11 KB     11 KB
 *     mistakes      1 %      1 %      1 %      36 %
 */
import { hash } from "node:crypto"

interface Filtered {
  readonly uids: ReadonlyArray<string>
  /** The uid of whom it is for. */
  readonly of: string
}

const bitsPerUid = 10
// In fewer bits a uid's places fall together.
const minBytes = 128
const maxBytes = 8192

/** What `writeFilter` writes: how many bits a uid sets, and the bits. */
export const filterPattern = /^(?<count>[1-9]):(?<bits>[A-Za-z0-9+/]+={0,2})$/u

export const writeFilter = ({ of, uids }: Filtered): string => {
  const bits = Buffer.alloc(Math.min(maxBytes, Math.max(minBytes, Math.ceil((uids.length * bitsPerUid) / 8))))
  // As many as make the fewest mistakes.
  const count = Math.min(9, Math.max(1, Math.round(((bits.length * 8) / Math.max(1, uids.length)) * Math.LN2)))
  for (const uid of uids) {
    for (const position of positionsOf({ of, uid }, { count, length: bits.length * 8 })) {
      bits.writeUInt8(bits.readUInt8(position >> 3) | (1 << (position & 7)), position >> 3)
    }
  }
  return `${count}:${bits.toString("base64")}`
}

/** Whether a uid may have been put in; never, if the text is not a filter. */
export const readFilter = (text: string, of: string): ((uid: string) => boolean) => {
  const { bits: written = "", count = "" } = filterPattern.exec(text)?.groups ?? {}
  const bits = Buffer.from(written, "base64")
  const shape = { count: Number(count), length: bits.length * 8 }
  return (uid) =>
    bits.length > 0 &&
    positionsOf({ of, uid }, shape).every((position) => (bits.readUInt8(position >> 3) & (1 << (position & 7))) !== 0)
}

interface Shape {
  readonly count: number
  readonly length: number
}

// Two numbers of one hash are as good as many hashes (Kirsch and Mitzenmacher, "Less hashing, same performance").
const positionsOf = ({ of, uid }: { readonly of: string; readonly uid: string }, { count, length }: Shape) => {
  const digest = hash("sha256", `${of} ${uid}`, "buffer")
  const [first, step] = [digest.readUInt32BE(0), digest.readUInt32BE(4)]
  return Array.from({ length: count }, (_, index) => (first + index * step) % length)
}
