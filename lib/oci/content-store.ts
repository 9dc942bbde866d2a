/** What the routes of the registry protocol serve from: one layout, or all that a registry has. */
import { Context, type Effect, type Scope, Stream } from "effect"
import type { DistributionError, Range } from "./distribution.ts"

/** A manifest or a blob. */
export interface Content {
  readonly digest: string
  readonly size: number
  /** All at once, if they are in memory. */
  readonly bytes: Stream.Stream<Uint8Array, Error> | Uint8Array
  /** Some of the bytes; absent: they can only be had from the first to the last. */
  readonly part?: (range: Range) => Stream.Stream<Uint8Array, Error>
}

/** The bytes, wherever they are. */
export const streamOf = ({ bytes }: Content): Stream.Stream<Uint8Array, Error> =>
  bytes instanceof Uint8Array ? Stream.succeed(bytes) : bytes

export interface Manifest extends Content {
  readonly mediaType: string
}

export class ContentStore extends Context.Service<
  ContentStore,
  {
    /** By tag or digest. */
    readonly manifest: (of: Named, by: Client) => Effect.Effect<Manifest, DistributionError>
    /** By digest; it can be read for as long as the scope is open, whatever becomes of the store. */
    readonly blob: (of: Named) => Effect.Effect<Content, DistributionError, Scope.Scope>
    readonly tags: (name: string) => Effect.Effect<ReadonlyArray<string>, DistributionError>
    /** The names of all repositories; absent: nobody is told. */
    readonly catalog?: Effect.Effect<ReadonlyArray<string>, DistributionError>
  }
>()("enbi/lib/oci/ContentStore") {}

/** Who asks, by the headers `Accept` and `User-Agent`. */
export interface Client {
  readonly accept: string | undefined
  readonly userAgent: string | undefined
}

/** Something of the repository `name`. */
export interface Named {
  readonly name: string
  readonly reference: string
}
