/**
 * Tells from Nix's exit code and words why a step failed, and says it in one
 * sentence with what to do. Codes are relied on where there are any; the words
 * are those of Nix 2.34 and change by version, so what no row knows falls
 * back to the step's own reason.
 */
import { Failure, type FailureReason } from "../lib/oci/result.ts"
import { diskFullWords } from "./disk.ts"
import { type NixLog, tailOf } from "./nix-log.ts"

/** What was tried: fetching the flake, evaluating the package, building it, or collecting the store. */
export type Step = "lock" | "evaluate" | "realise" | "collect"

interface Row {
  readonly words: RegExp
  readonly steps: ReadonlyArray<Step>
  readonly reason: FailureReason
  readonly say: (gist: string) => string
}

const diskFull = (gist: string) => `The node's disk or the cache volume is full (${gist}): make room.`

const everywhere: ReadonlyArray<Step> = ["lock", "evaluate", "realise", "collect"]

// The first row that fits counts.
const rows: ReadonlyArray<Row> = [
  {
    words: diskFullWords,
    steps: everywhere,
    reason: "DiskFull",
    say: diskFull
  },
  {
    // Nix's own databases alone: so they fail on a disk that has room, but takes no more files.
    words: /error: (?:setting journal mode|cannot open SQLite database).*unable to open database file/u,
    steps: everywhere,
    reason: "DiskFull",
    say: diskFull
  },
  {
    words: /hash mismatch in/u,
    steps: everywhere,
    reason: "HashMismatch",
    say: (gist) => `A download has another hash than the flake says (${gist}): update the hash.`
  },
  {
    words:
      /unable to download|while fetching the input|while updating the flake input|Failed to (?:fetch git|open archive)|in the flake registries|^error: input '.*' is unsupported|cannot download \S+ from any mirror/mu,
    steps: everywhere,
    reason: "FetchFailed",
    say: (gist) => `The flake or one of its inputs could not be fetched (${gist}): check spec.flakeUrl and the network.`
  },
  {
    words: /flake\.nix' does not exist/u,
    steps: ["lock"],
    reason: "EvaluationFailed",
    say: (gist) => `What spec.flakeUrl names holds no flake.nix (${gist}): check the URL, its dir parameter included.`
  },
  {
    words: /^error: (?:flake '.*' does not provide attribute|'.*' is not an attribute set)/mu,
    steps: ["evaluate"],
    reason: "AttributeMissing",
    say: (gist) => `The flake has no such package (${gist}): check spec.packageName and spec.system.`
  },
  {
    words:
      /kernel namespaces that are required for sandboxing|while setting up the build environment|pivot_root|pivot old root/u,
    steps: ["evaluate", "realise"],
    reason: "SandboxUnavailable",
    say: (gist) =>
      `Nix's sandbox cannot be set up in this Pod (${gist}): the node must allow user namespaces and an unmasked /proc, or set spec.sandbox to false.`
  }
]

const fallback: Readonly<Record<Step, Omit<Row, "words" | "steps">>> = {
  lock: {
    reason: "EvaluationFailed",
    say: (gist) => `The flake cannot be read (${gist}): mend the flake.nix that the log names.`
  },
  evaluate: {
    reason: "EvaluationFailed",
    say: (gist) => `Nix could not evaluate the package (${gist}): mend the Nix code that the log names.`
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

const timedOut: Omit<Row, "words" | "steps"> = {
  reason: "TimedOut",
  say: (gist) => `The build did not end within spec.timeoutSeconds (${gist}): raise it, or find what hangs in the log.`
}

/** The failure of a step that ended with an exit code other than 0. */
export const classify = (step: Step, exitCode: number, log: NixLog): Failure => {
  const text = log.errors === "" ? log.tail.join("\n") : log.errors
  const words = `${log.tail.join("\n")}\n${log.errors}`
  const row = rows.find(
    (row) => row.steps.includes(step) && row.words.test(row.reason === "AttributeMissing" ? text : words)
  )
  const chosen = byExitCode(exitCode) ?? row ?? fallback[step]
  return new Failure({ reason: chosen.reason, message: chosen.say(gistOf(text)), log: tailOf(log) })
}

/**
 * | bits of the code (`Worker::failingExitStatus` in Nix) | means |
 * |---|---|
 * | 0x60 and 0x01 | a build timed out |
 * | 0x60 and 0x02 | an output has another hash |
 * | 0x60 | a build failed: the words may say more |
 * | else | not a build's failure |
 */
const byExitCode = (exitCode: number): Omit<Row, "words" | "steps"> | undefined => {
  if ((exitCode & 0x60) !== 0x60) return undefined
  if ((exitCode & 0x01) !== 0) return timedOut
  if ((exitCode & 0x02) !== 0) return rows.find(({ reason }) => reason === "HashMismatch")
  return undefined
}

/** The innermost of Nix's nested errors in one line: with the place it names, or the reason it gives. */
export const gistOf = (text: string): string => {
  const start = text.lastIndexOf("error: ")
  if (start < 0) return text.trim().split("\n").at(-1) ?? ""
  const rest = text.slice(start + "error: ".length)
  const first = rest.split("\n", 1).join("").replace(".drvPath'", "'")
  const place = /^\s*at (\S+):$/mu.exec(rest)?.[1]
  const reason = /^\s*Reason: (.+?)\.?$/mu.exec(rest)?.[1]
  const detail = [first.replace(/[.:]$/u, ""), reason].filter((part) => part !== undefined).join(": ")
  return place === undefined ? detail : `${detail} at ${place}`
}
