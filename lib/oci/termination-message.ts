/**
 * Makes a Job's result fit into the 4096 bytes that kubelet keeps of a
 * termination message, and its texts fit for a terminal and for YAML: what is
 * too long loses its beginning, because the end of a log says why.
 */
import { stripVTControlCharacters } from "node:util"
import type { BuildResult, ImportResult } from "./result.ts"

// Kubernetes, "Determine the Reason for Pod Failure": 4096 bytes per container.
export const maxMessageBytes = 4096

// Even if each character needs the 6 bytes of a JSON escape, three fifths stay for the log or fall short of the limit.
const maxSentenceLength = 600

// A locked URL is ASCII; the NixBuild's flakeUrl ends at 2048 characters.
const maxUrlLength = 2500

// Text direction marks can make a log line read as what it does not say.
const directionMarks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** `text` without colours, control characters and half characters; a carriage return starts a line. */
export const cleanText = (text: string): string =>
  stripVTControlCharacters(text.toWellFormed())
    .replaceAll(/\r\n?/gu, "\n")
    .replaceAll(/[^\P{Cc}\n\t]/gu, "")
    .replaceAll(directionMarks, "")

/** The result as the JSON to write, at most `maxMessageBytes` long whatever its texts are. */
export const encodeResult = (result: BuildResult | ImportResult): string => {
  if (result.outcome === "Failed") {
    const failed = { ...result, message: cut(cleanText(result.message), maxSentenceLength), log: "" }
    return JSON.stringify({ ...failed, log: tailOf(cleanText(result.log), maxMessageBytes - jsonBytes(failed)) })
  }
  return JSON.stringify(
    "lockedUrl" in result ? { ...result, lockedUrl: result.lockedUrl.slice(0, maxUrlLength) } : result
  )
}

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

const endOf = (line: string, maxBytes: number): string => {
  let rest = maxBytes
  const characters = Array.from(line)
  const first = characters.findLastIndex((character) => (rest -= jsonBytes(character) - 2) < 0)
  return characters.slice(first + 1).join("")
}

const cut = (text: string, maxLength: number): string =>
  text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))
