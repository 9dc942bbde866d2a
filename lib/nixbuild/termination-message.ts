/**
 * Makes a Job's result fit into the 4096 bytes that kubelet keeps of a
 * termination message, and its texts fit for a terminal and for YAML: what is
 * too long loses its beginning, because the end of a log says why.
 */
import { stripVTControlCharacters } from "node:util"
import type { BuildResult, ImportResult, PullResult } from "./job-result.ts"

// Kubernetes, "Determine the Reason for Pod Failure": 4096 bytes per container.
export const maxMessageBytes = 4096

// Long enough for any sentence of ours with a gist of Nix's in it; the rest is for the log.
const maxSentenceLength = 600

/**
 * How much of the message the locked source may take, which is never cut: the
 * longest spec.flakeUrl with its hash, and some inputs. Store paths, or a
 * sentence, still fit beside it.
 */
const maxSourceBytes = 2800

// Text direction marks can make a log line read as what it does not say.
const directionMarks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** `text` without colours, control characters and half characters; a carriage return starts a line. */
export const cleanText = (text: string): string =>
  stripVTControlCharacters(text.toWellFormed())
    .replaceAll(/\r\n?/gu, "\n")
    .replaceAll(/[^\P{Cc}\n\t]/gu, "")
    .replaceAll(directionMarks, "")

/** The result as the JSON to write, at most `maxMessageBytes` long whatever its texts are. */
export const encodeResult = (result: BuildResult | ImportResult | PullResult): string => {
  if (result.outcome !== "Failed") return JSON.stringify(result)
  const roomOf = (said: object) => maxMessageBytes - jsonBytes(said)
  const message = beginningOf(
    cut(cleanText(result.message), maxSentenceLength),
    roomOf({ ...result, message: "", log: "" })
  )
  const failed = { ...result, message, log: "" }
  return JSON.stringify({ ...failed, log: tailOf(cleanText(result.log), roomOf(failed)) })
}

/** Whether the source fits into the message. */
export const sourceFits = (source: {
  readonly lockedUrl: string
  readonly lockedInputs: ReadonlyArray<unknown>
}): boolean => jsonBytes(source) <= maxSourceBytes

/** As many whole lines from the end of `log` as fit; if not even one does, the end of the last. */
const tailOf = (log: string, maxBytes: number): string => {
  const lines = log.trimEnd().split("\n")
  const kept: Array<string> = []
  let bytes = 0
  for (const line of lines.toReversed()) {
    bytes += jsonBytes(line + "\n") - 2
    if (bytes - 2 > maxBytes) {
      return kept.length > 0 ? kept.join("\n") : endOf(line, maxBytes)
    }
    kept.unshift(line)
  }
  return kept.join("\n")
}

const beginningOf = (text: string, maxBytes: number): string => {
  let rest = maxBytes
  const characters = Array.from(text)
  const last = characters.findIndex((character) => (rest -= jsonBytes(character) - 2) < 0)
  return last < 0 ? text : characters.slice(0, last).join("")
}

const endOf = (line: string, maxBytes: number): string => {
  let rest = maxBytes
  const characters = Array.from(line)
  const first = characters.findLastIndex((character) => (rest -= jsonBytes(character) - 2) < 0)
  return characters.slice(first + 1).join("")
}

const cut = (text: string, maxLength: number): string =>
  text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))
