/**
 * The inputs that a flake's own flake.lock does not lock: Nix resolves them to
 * their current version. Each becomes a flake reference with revision or hash,
 * which every other node gets in place of the input.
 */
import { Effect, Equal, Schema } from "effect"
import type { LockedInput } from "../../lib/api/nixbuild.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"

const optional = Schema.optionalKey

const Attributes = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))
type Attributes = typeof Attributes.Type

const Node = Schema.Struct({
  /** By name: another node, or the path of the input that it follows. */
  inputs: optional(Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Array(Schema.String)]))),
  locked: optional(Attributes)
})

/** A flake.lock, or what Nix makes where there is none. */
export const Locks = Schema.Struct({ root: Schema.String, nodes: Schema.Record(Schema.String, Node) })
export type Locks = typeof Locks.Type

export const noLocks: Locks = { root: "root", nodes: {} }

/** What `now` locks and `committed` does not. */
export const looseInputs = Effect.fn("looseInputs")(function* (now: Locks, committed: Locks) {
  return yield* Effect.forEach(
    looseIn([], { now, committed, at: now.root, was: committed.root }),
    ({ locked, path }) => {
      const url = urlOf(locked)
      const name = path.join("/")
      return url === undefined ? cannotBeNamed(name) : Effect.succeed<LockedInput>({ name, url })
    }
  )
})

interface At {
  readonly now: Locks
  readonly committed: Locks
  /** A node of `now`, and the one in its place in `committed`. */
  readonly at: string
  readonly was: string | undefined
}

const looseIn = (
  path: ReadonlyArray<string>,
  { at, committed, now, was }: At
): ReadonlyArray<{ readonly path: ReadonlyArray<string>; readonly locked: Attributes }> =>
  Object.entries(now.nodes[at]?.inputs ?? {}).flatMap(([name, child]) => {
    // It follows another input, which is locked where it is defined.
    if (typeof child !== "string") return []
    const before = was === undefined ? undefined : committed.nodes[was]?.inputs?.[name]
    const wasChild = typeof before === "string" ? before : undefined
    const { locked = {} } = now.nodes[child] ?? {}
    const isKept = wasChild !== undefined && Equal.equals(committed.nodes[wasChild]?.locked, locked)
    const below = looseIn([...path, name], { now, committed, at: child, was: isKept ? wasChild : undefined })
    return isKept || isWithin(locked) ? below : [{ path: [...path, name], locked }, ...below]
  })

// A part of the flake's own source.
const isWithin = ({ path, type }: Attributes): boolean => type === "path" && !String(path).startsWith("/")

/** The flake reference of what Nix locked, where there is one that says all of it. */
const urlOf = (locked: Attributes): string | undefined => {
  const { lastModified: _, owner, repo, rev, type, url, ...rest } = locked
  if (type === "github" || type === "gitlab" || type === "sourcehut") {
    if (rev === undefined) return undefined
    // The owner may be a group within groups.
    return withQuery(`${type}:${String(owner).replaceAll("/", "%2F")}/${String(repo)}/${String(rev)}`, rest)
  }
  // Nix takes a hash in a git URL for a part of the address; a revision is one itself.
  const { narHash: _narHash, revCount: _revCount, ...git } = rest
  if (type === "git") return rev === undefined ? undefined : withQuery(`git+${String(url)}`, { ...git, rev })
  return type === "tarball" ? withQuery(`tarball+${String(url)}`, { ...rest, rev }) : undefined
}

const withQuery = (
  url: string,
  parameters: Readonly<Record<string, string | number | boolean | undefined>>
): string => {
  const query = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined || value === false
      ? []
      : [`${name}=${encodeURIComponent(value === true ? "1" : String(value))}`]
  )
  return query.length === 0 ? url : `${url}${url.includes("?") ? "&" : "?"}${query.join("&")}`
}

const cannotBeNamed = (name: string) =>
  new Failure({
    reason: "EvaluationFailed",
    message: `The flake.lock does not lock the input ${name}, and its current version cannot be passed on to other nodes. Commit a flake.lock (nix flake lock).`,
    log: ""
  })
