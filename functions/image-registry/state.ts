/**
 * How far a NixImage is, as the registry sees it:
 *
 * | status                                     | answer                                            |
 * |--------------------------------------------|---------------------------------------------------|
 * | a system has a digest                      | the image, of the systems that have one           |
 * | none has one, and one may still get it     | 503 with how far that is                          |
 * | none has one, and it is Stalled            | 409 with the cause                                |
 * | otherwise                                  | 503 with how far it is                            |
 *
 * What was built before a change is served while the change is being built,
 * but never under a tag that only came with the change.
 */
import { type NixImage, wantedNameOf } from "../../lib/api/niximage.ts"
import { conditionOf } from "../../lib/kubernetes/condition.ts"

export type State =
  /** The digests of the indexes, one for each system that is built. */
  | { readonly _tag: "Built"; readonly digests: ReadonlyArray<string> }
  | { readonly _tag: "Pending"; readonly message: string }
  | { readonly _tag: "Failed"; readonly message: string }

/** The digests that its status has, in the order of its systems' names: each system's stays where it is in an index. */
export const digestsOf = ({ status }: NixImage): ReadonlyArray<string> => [
  ...new Set(
    (status?.systems ?? [])
      .toSorted((a, b) => (a.system < b.system ? -1 : 1))
      .flatMap(({ digest }) => (digest === undefined ? [] : [digest]))
  )
]

/** Those that it had before, and that may still be had by digest. */
export const formerDigestsOf = ({ status }: NixImage): ReadonlyArray<string> =>
  (status?.former ?? []).map(({ digest }) => digest)

export const stateOf = (image: NixImage): State => {
  const { metadata, status } = image
  const conditions = status?.conditions ?? []
  const isOutdated = metadata.generation !== undefined && status?.observedGeneration !== metadata.generation
  const digests = digestsOf(image)
  if (digests.length > 0 && (!isOutdated || status?.holds === wantedNameOf(image))) return { _tag: "Built", digests }
  const where = `(kubectl describe niximage -n ${metadata.namespace} ${metadata.name})`
  if (isOutdated) return { _tag: "Pending", message: `Building: it has not been looked at yet. ${where}` }
  // That it fails for one system keeps no client of another from waiting.
  const next = status?.systems?.find((one) => one.status === "BuildPending" || one.status === "Building")
  const said = next?.message ?? conditionOf(conditions, "Ready")?.message ?? "it has not been looked at yet."
  if (next !== undefined) return { _tag: "Pending", message: `Building: ${said} ${where}` }
  const stalled = conditionOf(conditions, "Stalled")
  if (stalled?.status === "True") {
    const failure = status?.failure
    const cause = failure === undefined ? stalled.message : `${failure.reason}: ${failure.message}`
    return { _tag: "Failed", message: `Failed: ${cause} ${where}` }
  }
  return { _tag: "Pending", message: `Building: ${said} ${where}` }
}
