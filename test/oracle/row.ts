/** What the corpus is made of. */
import type { Effect } from "effect"
import type { File } from "./make.ts"

export interface Row {
  /** The one property that tells this archive from a plain one. */
  readonly name: string
  /** The archive's bytes; or a folder's files. */
  readonly archive: Effect.Effect<Uint8Array | ReadonlyArray<File>>
  /** What the message names where the image is refused. */
  readonly names?: RegExp
  /** Where containerd takes the image and we do not: the reason that the rule has of its own. */
  readonly because?: string
  readonly architecture?: string
}

export const row = (name: string, archive: Row["archive"], more: Omit<Row, "name" | "archive"> = {}): Row => ({
  name,
  archive,
  ...more
})
