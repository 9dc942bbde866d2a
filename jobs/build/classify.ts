/**
 * Tells why a step failed and says it in one sentence with what to do: from
 * Nix's exit code, from errors that Nix itself formats, from which derivation
 * failed, and from what was measured. Lines of builders, flakes and servers
 * say nothing here, wherever they are quoted. The words are those of Nix 2.34
 * and change by version, so what no row knows falls back to the step's own
 * reason.
 */
import { cleanText } from "../../lib/nixbuild/termination-message.ts"
import { Failure, type FailureReason } from "../../lib/nixbuild/job-result.ts"
import { causeOf, gistOf, isThrown, nixWords, programNotRun, signerNotTrusted } from "./nix-error.ts"
import { type NixError, type NixLog, tailOf } from "./nix-log.ts"

/** What was tried: fetching the flake, evaluating the package, building it, or collecting the store. */
export type Step = "lock" | "evaluate" | "realise" | "collect"

/** What was found out about the failure beside what Nix says. */
export interface Findings {
  /** There was no room, in bytes or files, when it failed. */
  readonly isDiskFull: boolean
  /** The kernel killed a process for want of memory. */
  readonly isOutOfMemory: boolean
  /** All that failed were downloads: derivations whose output has a known hash. */
  readonly isDownload: boolean
}

interface Class {
  readonly reason: FailureReason
  readonly say: (gist: string) => string
}

interface Row extends Class {
  readonly steps: ReadonlyArray<Step>
  readonly fits: (error: NixError, findings: Findings) => boolean
}

const everywhere: ReadonlyArray<Step> = ["lock", "evaluate", "realise", "collect"]

const begins = (pattern: string) => {
  const words = nixWords(`^(?:${pattern})`)
  return ({ raw }: NixError) => words.test(raw)
}

// The kernel's words end a value of Nix's, or one of libgit2's; SQLite's are one of their own.
const noSpace = nixWords(": §?(?:No space left on device|Disk quota exceeded)\\u001b|§database or disk is full\\u001b")
const isNoSpace = (error: NixError): boolean => noSpace.test(error.raw.split("response body:", 1).join(""))

// The innermost thing that Nix was doing when an error came that is about no place in the code.
const whileDoing = (doing: string) => {
  const words = nixWords(`… ${doing}\\n\\s*\\n\\s*(?:\\u001b\\[31;1m)?error:`)
  return ({ isPlaced, message }: NixError) => !isPlaced && words.test(message)
}

const isFetching = nixWords("… while (?:fetching the input|updating the flake input) '§")
const isFetchError = begins(
  "unable to download '§|Failed to open archive \\(§|Failed to fetch git repository '§|cannot find flake '§|input '§[^']*' is unsupported|[Cc]annot find Git revision '§|some substitutes for "
)

const isMissing = begins("flake '§[^']*' does not provide attribute|'§[^']*' is not an attribute set")
const noNamespaces = begins("this system does not support the kernel namespaces that are required for sandboxing")
const whileSettingUp = whileDoing("while setting up the build environment")

// The first row that fits counts.
const rows: ReadonlyArray<Row> = [
  {
    steps: everywhere,
    fits: (error, { isDiskFull }) =>
      (isDiskFull || isNoSpace(error)) && !error.isPlaced && !isThrown(error) && !isMissing(error),
    reason: "DiskFull",
    say: (gist) => `The node's disk or the cache volume is full (${gist}). Free disk space.`
  },
  {
    steps: everywhere,
    fits: begins("(?:NAR )?hash mismatch in (?:file downloaded from|fixed-output derivation|input) '§"),
    reason: "HashMismatch",
    say: (gist) => `The hash of a download differs from the one in the flake (${gist}): update the hash.`
  },
  {
    steps: everywhere,
    fits: (error) => isFetchError(error) || (!error.isPlaced && isFetching.test(error.message)),
    reason: "FetchFailed",
    say: (gist) => `The flake or one of its inputs could not be fetched (${gist}): check spec.flakeUrl and the network.`
  },
  {
    steps: everywhere,
    fits: (_, { isDownload }) => isDownload,
    reason: "FetchFailed",
    say: (gist) => `A download failed (${gist}): check its URL and the network; the log says more.`
  },
  {
    steps: ["lock"],
    fits: begins("path '§[^']*/flake\\.nix\\u001b\\[0m' does not exist"),
    reason: "EvaluationFailed",
    say: (gist) => `spec.flakeUrl leads to no flake.nix (${gist}). Check the URL, including its dir parameter.`
  },
  {
    steps: ["evaluate"],
    fits: isMissing,
    reason: "AttributeMissing",
    say: (gist) => `The flake has no such package (${gist}): check spec.packageName and spec.system.`
  },
  {
    steps: ["evaluate", "realise"],
    fits: (error) => noNamespaces(error) || whileSettingUp(error),
    reason: "SandboxUnavailable",
    say: (gist) =>
      `Nix's sandbox cannot be set up in this Pod (${gist}): the node must allow user namespaces and an unmasked /proc, or set spec.sandbox to false.`
  }
]

const fallback: Readonly<Record<Step, Class>> = {
  lock: {
    reason: "EvaluationFailed",
    say: (gist) => `The flake cannot be read (${gist}): fix the flake.nix that the log points to.`
  },
  evaluate: {
    reason: "EvaluationFailed",
    say: (gist) => `Nix could not evaluate the package (${gist}): fix the Nix code that the log points to.`
  },
  realise: {
    reason: "BuildFailed",
    say: (gist) => `The build failed (${gist}): the log says why.`
  },
  collect: {
    reason: "BuildFailed",
    say: (gist) => `The cache could not be collected (${gist}): the log says why.`
  }
}

const timedOut: Class = {
  reason: "TimedOut",
  say: (gist) =>
    `The build did not finish within spec.timeoutSeconds (${gist}): raise it, or look in the log for what hangs.`
}

const outOfMemory: Class = {
  reason: "OutOfMemory",
  say: (gist) =>
    `The kernel killed a process of the build because memory ran out (${gist}): raise spec.resources.limits.memory and request a retry.`
}

const untrusted =
  "The signer of the server's certificate is not trusted: the cluster's operator can add the authority (docs/network.md, Certificates and proxies)."

const none: NixError = { message: "", raw: "", isPlaced: false }

/** The failure of a step that ended with an exit code other than 0. */
export const classify = (
  step: Step,
  ended: { readonly exitCode: number; readonly log: NixLog },
  findings: Findings
) => {
  const { exitCode, log } = ended
  const cause = causeOf(log.errors) ?? none
  const chosen =
    byExitCode(exitCode) ??
    (findings.isOutOfMemory ? outOfMemory : undefined) ??
    rows.find(({ fits, steps }) => steps.includes(step) && fits(cause, findings)) ??
    fallback[step]
  const gist = beginningOf(gistOf(cause === none ? log.tail.join("\n") : cleanText(cause.message)))
  const program = chosen.reason === "BuildFailed" ? programNotRun(cause, log.tail) : undefined
  const said = chosen.say(program === undefined ? gist : `${gist}; ${program}`)
  const isUntrusted = chosen.reason === "FetchFailed" && signerNotTrusted([cause.raw, ...log.tail])
  const message = isUntrusted ? `${said} ${untrusted}` : said
  return new Failure({ reason: chosen.reason, message, log: tailOf(log) })
}

// The advice follows it, and the length of a message is limited.
const maxGistLength = 300
const beginningOf = (gist: string): string =>
  gist.length > maxGistLength ? `${gist.slice(0, maxGistLength).toWellFormed()}…` : gist

/**
 * | bits of the code (`Worker::failingExitStatus` in Nix) | means |
 * |---|---|
 * | 0x60 and 0x01 | a build timed out |
 * | 0x60 and 0x02 | an output has another hash |
 * | 0x60 | a build failed: the words may say more |
 * | else | not a build's failure |
 */
const byExitCode = (exitCode: number): Class | undefined => {
  if ((exitCode & 0x60) !== 0x60) return undefined
  if ((exitCode & 0x01) !== 0) return timedOut
  if ((exitCode & 0x02) !== 0) return rows.find(({ reason }) => reason === "HashMismatch")
  return undefined
}
