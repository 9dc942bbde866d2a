/**
 * Whether the source that a NixBuild was resolved to is gone: what is fetched
 * for it has another hash, or its revision is not in the repository any more.
 * Then nothing else is built in its place.
 */
import { Failure } from "../../lib/nixbuild/job-result.ts"
import type { Source } from "../../lib/nixbuild/source.ts"
import { nixWords } from "./nix-error.ts"
import { type NixLog, tailOf } from "./nix-log.ts"

const otherHash = nixWords(
  "^(?:NAR )?hash mismatch in input '§(?<url>[^']*)\\u001b\\[0m', expected '§(?<locked>[^'\\u001b]*)\\u001b\\[0m' but got '§(?<found>[^'\\u001b]*)\\u001b"
)
const noRevision = nixWords("^[Cc]annot find Git revision '§(?<locked>[0-9a-f]+)\\u001b")
// A forge's address of an archive has the revision in it.
const noArchive = nixWords(
  "unable to download '§[^']*\\b(?<locked>[0-9a-f]{40}|[0-9a-f]{64})\\b[^']*\\u001b\\[0m': HTTP error §?(?:404|410)\\b"
)
const noFetch = nixWords("^Failed to fetch git repository '§")
// What git itself then says of a revision: over http as files, and by its own protocol.
const gitSays = /(?:Unable to find|not our ref) (?<locked>[0-9a-f]{40}|[0-9a-f]{64})\b/u

const findingsIn = ({ errors, tail }: NixLog) =>
  errors.flatMap(({ raw }) => {
    const words = noFetch.test(raw) ? gitSays.exec(tail.join("\n")) : undefined
    const found = otherHash.exec(raw) ?? noRevision.exec(raw) ?? noArchive.exec(raw) ?? words
    return found?.groups === undefined ? [] : [found.groups]
  })

// A hash may have slashes, which Nix leaves as they are in the URLs that it locks.
const withSlashes = (url: string): string => url.replaceAll(/%2F/giu, "/")

/** The failure that says so, if it is. */
export const whatIsGone = ({ lockedInputs, lockedUrl }: Source, log: NixLog): Failure | undefined => {
  const urls = [lockedUrl, ...lockedInputs.map(({ url }) => url)]
  for (const { found, locked = "" } of findingsIn(log)) {
    const url = urls.find((one) => withSlashes(one).includes(withSlashes(encodeURIComponent(locked))))
    if (url === undefined || locked === "") continue
    const instead = found === undefined ? "which can no longer be fetched" : `but the current source has ${found}`
    const place = url.split("?", 1).join("").slice(0, 100)
    return new Failure({
      reason: "SourceGone",
      message: `This NixBuild was resolved to ${locked} of ${place}, ${instead}. It builds no other source: delete the NixBuild and create it again, or put a rev into spec.flakeUrl.`,
      log: tailOf(log)
    })
  }
  return undefined
}
