/** Why a step failed, told from what Nix 2.34.8 really said: nix-2.34.8.jsonl was recorded from it. */
import { assert, describe, it } from "@effect/vitest"
import { classify, type Findings, type Step } from "../../jobs/build/classify.ts"
import { failedDerivations, gistOf, isFixedOutput } from "../../jobs/build/nix-error.ts"
import { emptyLog, followLine } from "../../jobs/build/nix-log.ts"
import { recorded, recordings } from "./recorded.ts"

const nothing: Findings = { isDiskFull: false, isOutOfMemory: false, isDownload: false }

interface Row {
  readonly name: string
  readonly findings?: Partial<Findings>
  readonly reason: string
  readonly says: RegExp
  /** What the input is, where the name does not say. */
  readonly why?: string
}

const rows: ReadonlyArray<Row> = [
  { name: "lock nothere.tar.gz", reason: "FetchFailed", says: /HTTP error 404\)/u },
  { name: "lock http://nohost.invalid/x.tar.gz", reason: "FetchFailed", says: /Could not resolve host/u },
  { name: "lock git+http://127.0.0.1:8088/nogit", reason: "FetchFailed", says: /Failed to fetch git/u },
  { name: "lock git+ssh://git@127.0.0.1:1/x", reason: "FetchFailed", says: /Failed to fetch git/u },
  { name: "lock https://127.0.0.1:1/x.tar.gz", reason: "FetchFailed", says: /Could not connect/u },
  {
    name: "untrusted https://127.0.0.1:8443/20-moving-branch.tar.gz",
    reason: "FetchFailed",
    says: /signer of the server's certificate is not trusted.*docs\/network.md/u
  },
  {
    name: "untrusted git+https://127.0.0.1:8443/r/.git",
    reason: "FetchFailed",
    says: /signer of the server's certificate is not trusted.*docs\/network.md/u,
    why: "git says it, not Nix"
  },
  { name: "lock github:o/r", reason: "FetchFailed", says: /Could not resolve host/u },
  { name: "lock nixpkgs", reason: "FetchFailed", says: /flake:nixpkgs/u },
  { name: "lock foo:bar", reason: "FetchFailed", says: /foo:bar/u },
  { name: "lock f2.nix", reason: "FetchFailed", says: /Unrecognized archive format/u },
  { name: "lock 11-words-in-the-log.tar.gz?dir=nope", reason: "EvaluationFailed", says: /no flake\.nix/u },
  {
    name: "lock f2.tar.gz?narHash=sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D",
    reason: "HashMismatch",
    says: /update the hash/u
  },
  { name: "no bytes", reason: "DiskFull", says: /Free disk space/u, why: "libgit2 cannot write" },
  { name: "no inodes", reason: "DiskFull", says: /Free disk space/u, findings: { isDiskFull: true } },
  { name: "no inodes", reason: "FetchFailed", says: /database file/u, why: "there is room: another cause" },

  { name: "nope", reason: "AttributeMissing", says: /'packages\.x86_64-linux\.nope/u },
  { name: "nope", reason: "AttributeMissing", says: /nope/u, findings: { isDiskFull: true } },
  { name: "text.x", reason: "AttributeMissing", says: /packages\.x86_64-linux\.text/u },
  { name: "throw", reason: "EvaluationFailed", says: /No space left/u },
  { name: "throw", reason: "EvaluationFailed", says: /No space left/u, findings: { isDiskFull: true } },
  { name: "abort", reason: "EvaluationFailed", says: /hash mismatch/u },
  { name: "trace", reason: "EvaluationFailed", says: /\(boo\)/u },
  { name: "warn", reason: "EvaluationFailed", says: /\(boo\)/u },
  { name: "context", reason: "EvaluationFailed", says: /'nope' missing at /u },
  { name: "setup", reason: "EvaluationFailed", says: /\(pivot_root\)/u },
  { name: "fetchurl", reason: "FetchFailed", says: /HTTP error 404\)/u },
  { name: "fetchTarball", reason: "FetchFailed", says: /HTTP error 404\)/u },
  { name: "fetchGit", reason: "FetchFailed", says: /Failed to fetch git/u },
  { name: "otherHash", reason: "HashMismatch", says: /downloaded from/u },
  { name: "otherTree", reason: "HashMismatch", says: /NAR hash mismatch/u },
  { name: "ifd", reason: "EvaluationFailed", says: /exit code 2/u },
  { name: "ifdDownload", reason: "FetchFailed", says: /source\.drv/u, findings: { isDownload: true } },
  { name: "ifdSandbox", reason: "SandboxUnavailable", says: /nonexist/u },

  { name: "words", reason: "BuildFailed", says: /words\.drv': builder failed with exit code 1\)/u },
  { name: "words", reason: "DiskFull", says: /Free disk space/u, findings: { isDiskFull: true } },
  { name: "words", reason: "OutOfMemory", says: /limits\.memory/u, findings: { isOutOfMemory: true } },
  { name: "forged", reason: "BuildFailed", says: /exit code 3/u },
  { name: "named", reason: "BuildFailed", says: /pivot_root-ENOSPC\.drv/u },
  {
    name: "download",
    reason: "FetchFailed",
    says: /source\.drv': builder failed with exit code 22/u,
    findings: { isDownload: true }
  },
  { name: "download", reason: "BuildFailed", says: /source\.drv/u, why: "no download among what failed" },
  { name: "noOutput", reason: "FetchFailed", says: /source2\.drv/u, findings: { isDownload: true } },
  { name: "fetches", reason: "FetchFailed", says: /-u\.drv/u, findings: { isDownload: true } },
  { name: "mismatch", reason: "HashMismatch", says: /source3\.drv/u },
  {
    name: "mismatch",
    reason: "HashMismatch",
    says: /source3\.drv/u,
    findings: { isDiskFull: true, isOutOfMemory: true }
  },
  { name: "dependency", reason: "BuildFailed", says: /dep\.drv': builder failed with exit code 1\)/u },
  {
    name: "noProgram",
    reason: "BuildFailed",
    says: /; \/nonexist\/bash could not be run: No such file or directory\)/u
  },
  { name: "noExecutable", reason: "BuildFailed", says: /flake\.nix could not be run: Permission denied\)/u },
  { name: "notFound", reason: "BuildFailed", says: /exit code 127; sh: line 0: make: not found\)/u },
  { name: "hangs", reason: "TimedOut", says: /after 4 seconds/u },
  { name: "otherSystem", reason: "BuildFailed", says: /platform mismatch/u },
  { name: "references", reason: "BuildFailed", says: /not allowed to refer/u },
  { name: "noShell", reason: "SandboxUnavailable", says: /nonexist/u }
]

const said = (step: Step, raw: string) => ({
  step,
  exitCode: 1,
  log: followLine(
    emptyLog,
    `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `error: ${raw}`, raw_msg: raw })}`
  )[0]
})

describe("classify", () => {
  for (const { findings, name, reason, says, why } of rows) {
    const { exitCode, log, step } = recorded(name)
    it(`${step}: ${name}, ${why ?? JSON.stringify(findings ?? {})}: ${reason}`, () => {
      const failure = classify(step, { exitCode, log }, { ...nothing, ...findings })
      assert.strictEqual(failure.reason, reason)
      assert.match(failure.message, says)
      assert.notInclude(failure.message, "\n")
    })
  }

  it("every recording is looked at", () =>
    assert.deepStrictEqual(
      recordings.map(({ name }) => name).filter((name) => rows.every((row) => row.name !== name)),
      []
    ))

  for (const [step, raw, reason] of [
    ["lock", "setting journal mode: \u001b[35;1mdatabase or disk is full\u001b[0m, \u001b[35;1m\u001b[0m", "DiskFull"],
    ["collect", "writing to file: \u001b[35;1mNo space left on device\u001b[0m", "DiskFull"],
    ["realise", "writing to file: \u001b[35;1mDisk quota exceeded\u001b[0m", "DiskFull"],
    [
      "lock",
      "unable to download '\u001b[35;1mhttp://x\u001b[0m': HTTP error 500\n\nresponse body:\n\n\u001b[35;1mtmp: No space left on device\u001b[0m",
      "FetchFailed"
    ],
    [
      "realise",
      "this system does not support the kernel namespaces that are required for sandboxing; use '--no-sandbox'",
      "SandboxUnavailable"
    ],
    ["realise", "something new", "BuildFailed"]
  ] as const) {
    it(`${step}: ${JSON.stringify(raw)}: ${reason}`, () => {
      const { exitCode, log } = said(step, raw)
      assert.strictEqual(classify(step, { exitCode, log }, nothing).reason, reason)
    })
  }

  it("a long gist leaves room for what to do", () => {
    const { exitCode, log } = said("lock", `unable to download '\u001b[35;1m${"x".repeat(3000)}\u001b[0m': no`)
    const { message } = classify("lock", { exitCode, log }, nothing)
    assert.isBelow(message.length, 600)
    assert.match(message, /check spec\.flakeUrl and the network\.$/u)
  })

  it("a certificate is no matter where nothing is fetched, whatever a builder prints", () => {
    const line = { action: "result", type: 101, fields: ["curl: (60) self-signed certificate"] }
    const { exitCode, log, step } = recorded("words")
    const withLine = followLine(log, `@nix ${JSON.stringify(line)}`)[0]
    assert.notInclude(classify(step, { exitCode, log: withLine }, nothing).message, "certificate")
    const download = classify(step, { exitCode, log: withLine }, { ...nothing, isDownload: true })
    assert.include(download.message, "certificate")
  })

  it("gives the build's own last lines before Nix's", () => {
    const { exitCode, log, step } = recorded("words")
    assert.match(classify(step, { exitCode, log }, nothing).log, /pivot_root\nerror: Cannot build/u)
  })
})

describe("failedDerivations", () => {
  const namesOf = (name: string) => failedDerivations(recorded(name).log.errors).map((path) => path.slice(44))

  it("names whose builder failed, and not what wanted it", () => {
    assert.deepStrictEqual(namesOf("download"), ["source.drv"])
    assert.deepStrictEqual(namesOf("noOutput"), ["source2.drv"])
    assert.deepStrictEqual(namesOf("dependency"), ["dep.drv"])
    assert.deepStrictEqual(namesOf("forged"), ["forged.drv"])
    assert.deepStrictEqual(namesOf("otherSystem"), [])
    assert.deepStrictEqual(namesOf("hangs"), [])
  })
})

it("a derivation whose output has a known hash is a download", () => {
  assert.isTrue(isFixedOutput(`Derive([("out","/nix/store/a-source","r:sha256","00ff")],[],[],"x86_64-linux"`))
  assert.isFalse(isFixedOutput(`Derive([("out","/nix/store/a-app","","")],[],[],"x86_64-linux"`))
  // Content-addressed: the hash is not known before.
  assert.isFalse(isFixedOutput(`Derive([("out","","r:sha256","")],[],[],"x86_64-linux"`))
  assert.isFalse(isFixedOutput(""))
})

describe("gistOf", () => {
  it("is the last line when there is no error", () => assert.strictEqual(gistOf("fatal\nkilled\n"), "killed"))
  it("is empty for nothing", () => assert.strictEqual(gistOf(""), ""))
})
