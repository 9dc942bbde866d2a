/** What the routes of the registry protocol serve from: one layout, or all that a registry has. */
import { Context, type Effect, type Stream } from "effect"
import type { DistributionError, Range } from "./distribution.ts"

/** A manifest or a blob. */
export interface Content {
  readonly digest: string
  readonly size: number
  readonly bytes: Stream.Stream<Uint8Array, Error>
  /** Some of the bytes; absent: they can only be had from the first to the last. */
  readonly part?: (range: Range) => Stream.Stream<Uint8Array, Error>
}

export interface Manifest extends Content {
  readonly mediaType: string
}

export class ContentStore extends Context.Service<
  ContentStore,
  {
    /** By tag or digest. */
    readonly manifest: (of: Named) => Effect.Effect<Manifest, DistributionError>
    /** By digest. */
    readonly blob: (of: Named) => Effect.Effect<Content, DistributionError>
    /** In the order of their letters. */
    readonly tags: (name: string) => Effect.Effect<ReadonlyArray<string>, DistributionError>
  }
>()("enbi/lib/oci/ContentStore") {}

/** Something of the repository `name`. */
export interface Named {
  readonly name: string
  readonly reference: string
}
