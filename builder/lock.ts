/**
 * Resolves the flake to one source. Whoever is the first to do so asks the
 * forge, and not Nix's caches, which may know a source of an hour ago or go on
 * with one when the forge does not answer; whoever comes later is told the
 * source, and takes no other.
 */
import { Console, Effect, FileSystem, Option, Schema } from "effect"
import { Failure } from "../lib/oci/result.ts"
import { sourceFits } from "../lib/oci/termination-message.ts"
import { namesRevision, refusalOf, type Source } from "../lib/source.ts"
import { Locks, looseInputs, noLocks } from "./inputs.ts"
import { type Build, type Fetching, metadata } from "./steps.ts"

/** What is built, and how Nix fetches it. */
export interface Resolved {
  readonly source: Source
  readonly fetching: Fetching
}

/** The one source of the NixBuild. The folder for what was fetched goes with the scope. */
export const resolve = Effect.fn("resolve")(function* (build: Build) {
  const { flakeUrl, source } = build.settings
  if (source !== undefined) return yield* again(build, source)
  yield* Console.log(`fetching ${flakeUrl}`)
  const resolved = namesRevision(flakeUrl) ? yield* resolveWith(build, kept) : undefined
  // Inputs without a lock may be anything by now, although the flake itself cannot.
  if (resolved !== undefined && resolved.source.lockedInputs.length === 0) return yield* checked(flakeUrl, resolved)
  return yield* checked(flakeUrl, yield* resolveWith(build, yield* afresh))
})

/** With the caches of the volume, which then ask whether there is something newer. */
const kept: Fetching = { cacheHome: undefined, isAsking: true }

const afresh = Effect.map(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "fetched-" })),
  (cacheHome): Fetching => ({ cacheHome, isAsking: false })
)

const resolveWith = Effect.fnUntraced(function* (build: Build, fetching: Fetching) {
  const found = yield* metadata(build, { url: build.settings.flakeUrl, inputs: [], fetching })
  const lockedInputs = yield* looseInputs(found.locks, yield* committedLocks(build, found))
  return { source: { lockedUrl: found.url, lockedInputs }, fetching }
})

const again = Effect.fnUntraced(function* (build: Build, source: Source) {
  yield* Console.log(`fetching ${source.lockedUrl}, which this NixBuild was resolved to`)
  const look = (fetching: Fetching) =>
    Effect.as(metadata(build, { url: source.lockedUrl, inputs: source.lockedInputs, fetching }), { source, fetching })
  const ifGone =
    <A, E, R>(use: (failure: Failure) => Effect.Effect<A, E, R>) =>
    (failure: Failure) =>
      failure.reason === "SourceGone" ? use(failure) : failure
  // What the volume has is as good as what the forge gives, if it has the hash; else it may only be older.
  return yield* look({ ...kept, isAsking: false }).pipe(
    Effect.catchTag(
      "Failure",
      ifGone(() => look(kept))
    ),
    Effect.catchTag(
      "Failure",
      ifGone((failure) => gone(build, failure))
    )
  )
})

const gone = Effect.fnUntraced(function* (build: Build, { log, message, reason }: Failure) {
  const found = yield* Effect.option(
    metadata(build, { url: build.settings.flakeUrl, inputs: [], fetching: yield* afresh })
  )
  const now = Option.match(found, {
    onNone: () => "What there is now can't be fetched either.",
    onSome: ({ url }) => `What there is now: ${url.slice(0, 300)}`
  })
  return yield* new Failure({ reason, message: `${message} ${now}`, log })
})

const committedLocks = Effect.fnUntraced(function* (build: Build, found: Effect.Success<ReturnType<typeof metadata>>) {
  const fs = yield* FileSystem.FileSystem
  const folder = [build.settings.cache.physical(found.path), found.resolved?.dir ?? ""].join("/")
  const text = yield* Effect.option(fs.readFileString(`${folder}/flake.lock`))
  return Option.getOrElse(Option.flatMap(text, decodeLocks), () => noLocks)
})

const decodeLocks = Schema.decodeUnknownOption(Schema.fromJsonString(Locks))

const checked = Effect.fnUntraced(function* (flakeUrl: string, resolved: Resolved) {
  const { lockedInputs } = resolved.source
  const refusal = refusalOf(flakeUrl, resolved.source)
  if (refusal === undefined && sourceFits(resolved.source)) return resolved
  const isAboutInputs =
    lockedInputs.length > 0 && refusalOf(flakeUrl, { ...resolved.source, lockedInputs: [] }) === undefined
  if (isAboutInputs) {
    const names = lockedInputs.map(({ name }) => name)
    return yield* new Failure({
      reason: "EvaluationFailed",
      message: `The flake has no flake.lock for ${names.length} of its inputs (${names.slice(0, 5).join(", ")}), and what they are today cannot be told to other nodes (${refusal ?? "it is too long"}): commit a flake.lock (nix flake lock).`,
      log: ""
    })
  }
  return yield* new Failure({
    reason: "SourceRefused",
    message: `What spec.flakeUrl is resolved to cannot be told to other nodes: ${refusal ?? `${resolved.source.lockedUrl.slice(0, 100)}… is too long`}. Use a shorter URL, or another one of the same flake.`,
    log: ""
  })
})
