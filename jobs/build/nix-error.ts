/**
 * Reads an error of Nix, and tells its own words from those that it only quotes:
 * Nix colours each value that it puts into a sentence, so `unable to download '`
 * followed by a coloured URL is Nix's, and the same without colour is what a
 * flake throws. Builders' lines and servers' answers are quoted whole, and never
 * start an error.
 */
import type { NixError } from "./nix-log.ts"

// ANSI magenta, which Nix puts before each value (`Magenta` in its fmt.hh).
const value = "(?:\\u001b\\[35;1m)"

/** A pattern in which each § marks the start of a value that Nix inserted. */
export const nixWords = (pattern: string): RegExp => new RegExp(pattern.replaceAll("§", value), "u")

const isOfDependency = nixWords(
  "^Cannot build '§[^']*'\\.\\nReason: (?:\\u001b\\[31;1m)?\\d+ dependenc(?:y|ies) failed"
)
const isOfBuild = nixWords("^(?:Cannot build|builder for|hash mismatch in fixed-output derivation) '§")

/** The error that ended all: of those about builds the first that is not only about what wanted another, else the last. */
export const causeOf = (errors: ReadonlyArray<NixError>): NixError | undefined => {
  const own = errors.filter(({ raw }) => !isOfDependency.test(raw))
  return own.find(({ raw }) => isOfBuild.test(raw)) ?? own.at(-1) ?? errors.at(-1)
}

const builderFailed = [
  nixWords(
    "^Cannot build '§(?<drv>/nix/store/[^/'\\u001b]+\\.drv)\\u001b\\[0m'\\.\\nReason: (?:\\u001b\\[31;1m)?builder failed"
  ),
  nixWords("^builder for '§(?<drv>/nix/store/[^/'\\u001b]+\\.drv)\\u001b\\[0m' failed")
]

/** The derivations whose builder ended without what it was to make. */
export const failedDerivations = (errors: ReadonlyArray<NixError>): ReadonlyArray<string> =>
  errors.flatMap(({ raw }) => builderFailed.map((words) => words.exec(raw)?.groups?.["drv"] ?? "")).filter(Boolean)

// The third field of an output is how its content is hashed, the fourth its hash, in a derivation that has one.
const fixedOutput = /^(?:Derive|DrvWithVersion)\((?:"[^"]*",)?\[\("[^"]*","[^"]*","[^"]+","[^"]+"\)/u

/** Whether the text of a derivation's file says that what comes out has a known hash: then it is a download. */
export const isFixedOutput = (derivation: string): boolean => fixedOutput.test(derivation)

/** The innermost of Nix's nested errors in one line: with the place it names, or the reason it gives. */
export const gistOf = (text: string): string => {
  const start = text.lastIndexOf("error: ")
  if (start < 0) return text.trim().split("\n").at(-1) ?? ""
  const rest = text.slice(start + "error: ".length)
  const first = rest.split("\n", 1).join("")
  const place = /^\s*at (\S+):$/mu.exec(rest)?.[1]
  const reason = /^\s*Reason: (.+?)\.?$/mu.exec(rest)?.[1]
  const detail = [first.replace(/[.:]$/u, ""), reason].filter((part) => part !== undefined).join(": ")
  return place === undefined ? detail : `${detail} at ${place}`
}

/** What the lines before a build's end say of a program that could not be run, if that ended it. */
export const programNotRun = ({ message }: NixError, tail: ReadonlyArray<string>): string | undefined => {
  // Nix's own words in the place of the derivation's `builder`, which then prints nothing more.
  const [, program, why] = executing.exec(tail.findLast((line) => executing.test(line)) ?? "") ?? []
  if (program !== undefined) return `${program} could not be run: ${why}`
  // POSIX, "Exit Status for Commands": 127 and 126 are a shell's for a program that is not there or can't be run.
  if (!/exit code 12[67]\b/u.test(message)) return undefined
  return tail.findLast((line) => /: (?:not found|command not found|Permission denied)$/u.test(line))?.trim()
}
const executing = /^error: executing '(.*)': (.*)$/u

// The frame right before the error: a flake's own words, which may be anything.
const thrown = nixWords("… while calling the '§(?:throw|abort)\\u001b\\[0m' builtin(?:(?!… while )[^])*$")

/** Whether the flake itself threw this error. */
export const isThrown = ({ message }: NixError): boolean => thrown.test(message)

// GnuTLS, OpenSSL in two ages, and Go; a remark for people, so that anybody's words will do.
const notTrusted =
  /certificate signer not trusted|unable to get local issuer certificate|self[- ]signed certificate|signed by unknown authority/iu

/** Whether an error says that a certificate's authority is unknown here. */
export const signerNotTrusted = (lines: ReadonlyArray<string>): boolean => lines.some((line) => notTrusted.test(line))
