/**
 * Resolves the flake to one source. The first build asks the forge, and not
 * Nix's caches, which may have a source of an hour ago, or use an old one when
 * the forge does not answer. Later builds get that source, and use no other.
 */
import { Console, Effect, FileSystem, Option, Schema } from "effect"
import { stepLines } from "../../lib/nixbuild/build-steps.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { sourceFits } from "../../lib/nixbuild/termination-message.ts"
import { namesRevision, refusalOf, type Source } from "../../lib/nixbuild/source.ts"
import { mustBeOpen } from "./closed.ts"
import { Locks, looseInputs, noLocks } from "./inputs.ts"
import { type Build, type Fetching, metadata } from "./nix-steps.ts"

/** What is built, and how Nix fetches it. */
export interface Resolved {
  readonly source: Source
  readonly fetching: Fetching
}

/** The one source of the NixBuild. */
export const resolve = Effect.fn("resolve")(function* (build: Build) {
  const { flakeUrl, source } = build.settings
  if (source !== undefined) return yield* again(build, source)
  yield* Console.log(stepLines.fetchingSource(flakeUrl))
  const resolved = namesRevision(flakeUrl) ? yield* resolveWith(build, shared) : undefined
  // Inputs without a lock may be anything by now, although the flake itself cannot.
  if (resolved !== undefined && resolved.source.lockedInputs.length === 0) return yield* checked(flakeUrl, resolved)
  // What was resolved until here may have been there already; from here on the forge is asked.
  yield* mustBeOpen(build.settings.closed, flakeUrl)
  yield* forget(build)
  return yield* checked(flakeUrl, yield* resolveWith(build, ownOf(build)))
})

/** What was fetched for this NixBuild alone goes: with its image, or before the forge is asked again. */
export const forget = Effect.fnUntraced(function* ({ settings: { cache, uid } }: Build) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(cache.fetchedOf(uid), { recursive: true, force: true })
})

/** What all builds of the volume have fetched, of whatever time: Nix asks whether there is something newer. */
const shared: Fetching = { cacheHome: undefined, isAsking: true }

/** What this NixBuild has fetched: nothing of before it, so that Nix asks for what is not there. */
const ownOf = ({ settings: { cache, uid } }: Build): Fetching => ({ cacheHome: cache.fetchedOf(uid), isAsking: false })

const resolveWith = Effect.fnUntraced(function* (build: Build, fetching: Fetching) {
  const found = yield* metadata(build, { url: build.settings.flakeUrl, inputs: [], fetching })
  const lockedInputs = yield* looseInputs(found.locks, yield* committedLocks(build, found))
  return { source: { lockedUrl: found.url, lockedInputs }, fetching }
})

const again = Effect.fnUntraced(function* (build: Build, source: Source) {
  const fs = yield* FileSystem.FileSystem
  yield* Console.log(stepLines.fetchingSource(source.lockedUrl))
  const look = (fetching: Fetching) =>
    Effect.as(metadata(build, { url: source.lockedUrl, inputs: source.lockedInputs, fetching }), { source, fetching })
  const isHere = yield* Effect.orElseSucceed(fs.exists(build.settings.cache.fetchedOf(build.settings.uid)), () => false)
  return yield* look(isHere ? ownOf(build) : shared).pipe(
    Effect.catchTag("Failure", (failure) => (failure.reason === "SourceGone" ? gone(build, failure) : failure))
  )
})

const gone = Effect.fnUntraced(function* (build: Build, { log, message, reason }: Failure) {
  const fs = yield* FileSystem.FileSystem
  // What was fetched for the source stays as it is.
  const cacheHome = yield* fs.makeTempDirectoryScoped({ prefix: "fetched-" })
  const fetching: Fetching = { cacheHome, isAsking: false }
  const found = yield* Effect.option(metadata(build, { url: build.settings.flakeUrl, inputs: [], fetching }))
  const now = Option.match(found, {
    onNone: () => "The current source cannot be fetched either.",
    onSome: ({ url }) => `The current source: ${url.slice(0, 300)}`
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
      message: `The flake has no flake.lock for ${names.length} of its inputs (${names.slice(0, 5).join(", ")}), and their current versions cannot be passed on to other nodes (${refusal ?? "the list is too long"}). Commit a flake.lock (nix flake lock).`,
      log: ""
    })
  }
  return yield* new Failure({
    reason: "SourceRefused",
    message: `The source that spec.flakeUrl was resolved to cannot be passed on to other nodes: ${refusal ?? `${resolved.source.lockedUrl.slice(0, 100)}… is too long`}. Use a shorter URL, or another one of the same flake.`,
    log: ""
  })
})
