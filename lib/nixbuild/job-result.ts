/**
 * What the build, the import and the publish Job say when they end: one line
 * of JSON as their container's termination message. `importer-status` reads it and puts
 * it into the NixBuild's status.
 */
import { Schema } from "effect"
import { LockedInput } from "../api/nixbuild.ts"
import { jobReasons } from "../api/reasons.ts"
import { Digest } from "../oci/image.ts"

/** Why a Job failed. */
export const FailureReason = Schema.Literals(jobReasons)
export type FailureReason = typeof FailureReason.Type

// What the flake was resolved to, and the inputs that its flake.lock does not lock.
const optionalSource = {
  lockedUrl: Schema.optionalKey(Schema.String),
  lockedInputs: Schema.optionalKey(Schema.Array(LockedInput))
}

/** The source is resolved and nothing more is known: what a Job leaves that is killed afterwards. */
const BuildLocked = Schema.Struct({
  ...optionalSource,
  outcome: Schema.Literal("Locked"),
  lockedUrl: Schema.String
})

/** The image's layout is on the cache volume; `digest` is its index, which the tag will name. */
export const BuildSucceeded = Schema.Struct({
  ...optionalSource,
  outcome: Schema.Literal("Succeeded"),
  lockedUrl: Schema.String,
  drvPath: Schema.String,
  storePath: Schema.String,
  digest: Digest,
  builtDerivations: Schema.Int,
  fetchedPaths: Schema.Int
})

/** Nothing came of it: one sentence for people and the end of the log. */
export const JobFailed = Schema.Struct({
  ...optionalSource,
  outcome: Schema.Literal("Failed"),
  reason: FailureReason,
  message: Schema.String,
  log: Schema.String
})

/** containerd, or the image registry, has the image; moved is what it did not have before. */
export const ImportSucceeded = Schema.Struct({
  outcome: Schema.Literal("Succeeded"),
  digest: Digest,
  configDigest: Digest,
  sizeBytes: Schema.Int,
  movedBlobs: Schema.Int,
  movedBytes: Schema.Int
})

/** containerd has an image of the registry. */
const PullSucceeded = Schema.Struct({ outcome: Schema.Literal("Succeeded"), digest: Digest })

/** A build Job's termination message. */
export const BuildResult = Schema.Union([BuildSucceeded, BuildLocked, JobFailed])
export type BuildResult = typeof BuildResult.Type

/** An import Job's termination message, and a publish Job's. */
export const ImportResult = Schema.Union([ImportSucceeded, JobFailed])
export type ImportResult = typeof ImportResult.Type

/** A pull Job's termination message, which is for people: that it has ended is all that counts. */
export const PullResult = Schema.Union([PullSucceeded, JobFailed])
export type PullResult = typeof PullResult.Type

/** The error that ends a Job's program; it becomes the `JobFailed` in the termination message. */
export class Failure extends Schema.TaggedError<Failure>()("Failure", {
  reason: FailureReason,
  message: Schema.String,
  log: Schema.String,
  ...optionalSource
}) {}
