/**
 * What comes between a build that succeeded and its import: the claim on the
 * image tag. The namespace that has the tag alone brings what it built; where
 * another uses the tag too, the import Job takes only the one digest.
 *
 * | who asks                | the claim says         | what follows                              |
 * |-------------------------|------------------------|-------------------------------------------|
 * | anybody                 | nothing: it is gone    | claims it, imports                        |
 * | holder, alone           |                        | imports                                   |
 * | holder                  | others use it          | imports that digest only, or the first    |
 * | another                 | one digest, not of it  | says that it joins                        |
 * | another that joins      | one digest             | imports that digest only, when the holder |
 * |                         |                        | brings nothing any more that is not held  |
 * | another                 | no digest, or several  | TagConflict                               |
 */
import { Schema } from "effect"
import type { Action } from "../../lib/runtime/action.ts"
import { reasons } from "../../lib/api/reasons.ts"
import { Lease } from "../../lib/kubernetes/kinds.ts"
import { type NixBuild, packageOf } from "../../lib/api/nixbuild.ts"
import {
  claimTag,
  digestsOf,
  freeing,
  holderOf,
  joinClaim,
  joiningOf,
  namespacesIn,
  sourceOf,
  tagOf,
  usersOf
} from "../../lib/nixbuild/tag-claim.ts"

export const Claim = Schema.Struct({
  lease: Schema.optionalKey(Lease),
  /** Whether the tag's namespace may still bring an image that it began before others joined. */
  isMoving: Schema.Boolean
})
export type Claim = typeof Claim.Type

/** The one image that may be imported, and what to say of any other. */
export interface Expected {
  readonly digest: string
  readonly words: string
}

export interface Admittance {
  readonly actions: ReadonlyArray<Action>
  /** Absent: not now. */
  readonly import?: { readonly expected?: Expected }
  /** Why it will not be imported until somebody does something. */
  readonly conflict?: string
}

export const admitImport = (build: NixBuild, { isMoving, lease }: Claim): Admittance => {
  const { namespace = "" } = build.metadata
  if (lease === undefined) return { actions: [claimTag(build)], import: {} }
  const [digest, ...more] = digestsOf(lease, build.spec.system)
  const users = [...usersOf(lease), ...joiningOf(lease)]
  if (holderOf(lease) === namespace) {
    const isHeld = digest !== undefined && users.some((user) => user !== namespace)
    return { actions: [], import: isHeld ? { expected: expect(build, { digest, lease }) } : {} }
  }
  if (digest === undefined || more.length > 0) {
    const tag = tagOf(build)
    const others = namespacesIn(usersOf(lease).filter((user) => user !== namespace))
    const why = digest === undefined ? "no image is known under it" : `nodes may have ${digest} and others under it`
    return {
      actions: [],
      conflict: `${reasons.TagConflict} ${tag} belongs to ${others}, and ${why}. If it is not used there any more: ${freeing(tag)}`
    }
  }
  if (!users.includes(namespace)) return { actions: [joinClaim(lease, namespace)] }
  return { actions: [], ...(isMoving ? {} : { import: { expected: expect(build, { digest, lease }) } }) }
}

const expect = (build: NixBuild, { digest, lease }: { readonly digest: string; readonly lease: Lease }): Expected => {
  const tag = tagOf(build)
  const isOther = (user: string) => user !== build.metadata.namespace
  const users = usersOf(lease).filter(isOther)
  // Of those that are about to use it some may be refused, so they are named where nobody else is.
  const others = users.length > 0 ? users : joiningOf(lease).filter(isOther)
  const uses = `${beginning(namespacesIn(others))} use${others.length === 1 ? "s" : ""} the tag`
  return {
    digest,
    words: `${differenceOf(build, sourceOf(lease, build.spec.system))} ${uses}, so its image stays what it is. If it is not used there any more: ${freeing(tag)}`
  }
}

/** Why a build may give another image than the first under the tag did. */
const differenceOf = ({ metadata, spec }: NixBuild, source: string | undefined): string => {
  const [flakeUrl = spec.flakeUrl, packageName = packageOf({ spec })] = source?.split("#") ?? []
  const differ = (what: string, { first, ours }: { readonly first: string; readonly ours: string }) =>
    first === ours
      ? []
      : [
          `The ${what} differs: the first image is of ${shown(first)}, that of NixBuild ${metadata.name} of ${shown(ours)}.`
        ]
  const differences = [
    ...differ("source", { first: flakeUrl, ours: spec.flakeUrl }),
    ...differ("package", { first: packageName, ours: packageOf({ spec }) })
  ]
  return differences.length > 0
    ? differences.join(" ")
    : "Source and package are the same, so the build does not give the same every time, or the source moved on: name a revision in spec.flakeUrl."
}

const beginning = (words: string): string => `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`

// It is said in a termination message, which ends at 4096 bytes.
const shown = (source: string): string => (source.length > 500 ? `${source.slice(0, 500)}…` : source)
