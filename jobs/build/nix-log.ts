/**
 * Follows Nix's `--log-format internal-json`: gives the lines that
 * `kubectl logs` shows, counts what was built and fetched, and keeps the end of
 * the log for the NixBuild's status. The numbers are Nix's
 * (`src/libutil/include/nix/util/logging.hh`), seen with 2.34.8.
 */
import { Option, Schema } from "effect"
import { stepLines } from "../../lib/nixbuild/build-steps.ts"
import { cleanText } from "../../lib/nixbuild/termination-message.ts"

/** An error as Nix itself formats it, with the colours that it gives to each value that it puts into its own words. */
export interface NixError {
  /** The whole text, with what Nix was doing. */
  readonly message: string
  /** The innermost error alone. */
  readonly raw: string
  /** Whether it is about a place in Nix code, and so about the flake. */
  readonly isPlaced: boolean
}

/** What is known after some lines; `errors` is what Nix itself said went wrong. */
export interface NixLog {
  readonly expectedDerivations: number
  readonly builtDerivations: number
  readonly expectedPaths: number
  readonly fetchedPaths: number
  readonly tail: ReadonlyArray<string>
  readonly errors: ReadonlyArray<NixError>
  readonly shownBytes: number
}

export const emptyLog: NixLog = {
  expectedDerivations: 0,
  builtDerivations: 0,
  expectedPaths: 0,
  fetchedPaths: 0,
  tail: [],
  errors: [],
  shownBytes: 0
}

/** The log of a further command, whose lines count together with those that were shown. */
export const nextLog = ({ shownBytes }: NixLog): NixLog => ({ ...emptyLog, shownBytes })

// More does not fit into a termination message, 4096 bytes.
const maxTailLines = 40

// A build may print a line without end: the log would be all there is in memory.
const maxLineLength = 4000
const maxRawLineLength = 256 * 1024

// The first errors and the last tell the cause; those between are of the derivations that wanted what failed.
const maxErrors = 20
const maxErrorLength = 16 * 1024

// At 10 MiB (containerLogMaxSize) kubelet begins a new file, and `kubectl logs` shows no other; time and stream stand
// before each line in it.
const maxShownBytes = 9 * 2 ** 20
const linePrefixBytes = 48

const activity = { substitute: 108, build: 105 }
const result = { buildLogLine: 101, postBuildLogLine: 107 }

const Text = Schema.Union([Schema.String, Schema.Finite])
const Message = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({
      action: Schema.Literal("msg"),
      level: Schema.Int,
      msg: Schema.String,
      raw_msg: Schema.optionalKey(Schema.String),
      line: Schema.optionalKey(Schema.NullOr(Schema.Int))
    }),
    Schema.Struct({
      action: Schema.Literal("start"),
      type: Schema.Int,
      text: Schema.String,
      fields: Schema.optionalKey(Schema.Array(Text))
    }),
    Schema.Struct({ action: Schema.Literal("result"), type: Schema.Int, fields: Schema.Array(Text) })
  ])
)
const decodeMessage = Schema.decodeUnknownOption(Message)

/** The lines that `text` ends, and the beginning of the next; `rest` is the beginning that was left before. */
export const cutLines = (rest: string, text: string): readonly [string, ReadonlyArray<string>] => {
  const lines = `${rest}${text}`.split("\n")
  return [(lines.pop() ?? "").slice(0, maxRawLineLength), lines]
}

/** The log after some more lines of Nix's standard error, and what to show for them: nothing after the first 9 MiB. */
export const followLines = (log: NixLog, some: ReadonlyArray<string>): readonly [NixLog, ReadonlyArray<string>] => {
  let next = log
  const toShow: Array<string> = []
  for (const line of some) {
    const [after, shown] = followLine(next, line)
    next = after
    if (next.shownBytes > maxShownBytes) continue
    toShow.push(...shown)
    const shownBytes = shown.reduce((bytes, each) => bytes + linePrefixBytes + Buffer.byteLength(each), next.shownBytes)
    next = { ...next, shownBytes }
    if (shownBytes > maxShownBytes) {
      toShow.push(
        "The log exceeds 9 MiB; the rest is not shown. If the build fails, its last lines are in the NixBuild's status."
      )
    }
  }
  return [next, toShow]
}

/** The log after one more line of Nix's standard error, and the lines to show for it. */
export const followLine = (log: NixLog, line: string): readonly [NixLog, ReadonlyArray<string>] => {
  if (!line.startsWith("@nix ")) return show(log, line)
  const message = Option.getOrUndefined(decodeMessage(line.slice("@nix ".length)))
  if (message === undefined) {
    return line.length < maxRawLineLength ? [log, []] : show(log, "(a line of more than 256 KiB)")
  }
  if (message.action === "msg") {
    if (message.level > 0) return [expect(log, message.msg), lines(message.msg)]
    // A builder may send messages as Nix does, and the flake may trace: only Nix's own errors have a raw_msg beside.
    if (message.raw_msg === undefined) return show(log, message.msg)
    const error = {
      message: message.msg.slice(-maxErrorLength),
      raw: message.raw_msg.slice(0, maxErrorLength),
      isPlaced: typeof message.line === "number"
    }
    return [{ ...log, errors: [...log.errors.slice(0, maxErrors - 1), error] }, lines(error.message)]
  }
  if (message.action === "start") {
    if (message.type === activity.build) {
      const n = log.builtDerivations + 1
      const of = Math.max(n, log.expectedDerivations)
      return [{ ...log, builtDerivations: n }, [stepLines.buildingDerivation({ n, of, what: cleanText(message.text) })]]
    }
    if (message.type === activity.substitute) {
      const n = log.fetchedPaths + 1
      const [path = ""] = message.fields ?? []
      const of = Math.max(n, log.expectedPaths)
      return [{ ...log, fetchedPaths: n }, [stepLines.fetchingPath({ n, of, what: cleanText(String(path)) })]]
    }
    return [log, []]
  }
  const isLogLine = message.type === result.buildLogLine || message.type === result.postBuildLogLine
  return isLogLine ? show(log, String(message.fields[0] ?? "")) : [log, []]
}

/** With what Nix says it is going to do. */
const expect = (log: NixLog, message: string): NixLog => {
  const builds = /^(?:these (\d+) derivations|this derivation) will be built:/u.exec(message)
  if (builds !== null) return { ...log, expectedDerivations: Number(builds[1] ?? 1) }
  const paths = /^(?:these (\d+) paths|this path) will be fetched /u.exec(message)
  return paths === null ? log : { ...log, expectedPaths: Number(paths[1] ?? 1) }
}

/** The end of the log for people: what the builds printed, then what Nix said. */
export const tailOf = (log: NixLog): string =>
  [...log.tail, ...log.errors.flatMap(({ message }) => lines(message.trimEnd()))].slice(-maxTailLines).join("\n")

const show = (log: NixLog, line: string): readonly [NixLog, ReadonlyArray<string>] => {
  const shown = lines(line)
  return [{ ...log, tail: [...log.tail, ...shown].slice(-maxTailLines) }, shown]
}

const lines = (text: string): ReadonlyArray<string> =>
  text === ""
    ? []
    : cleanText(text)
        .split("\n")
        .map((line) => line.slice(0, maxLineLength))
