import { assert, describe, it } from "@effect/vitest"
import { classify, gistOf, type Step } from "../../builder/classify.ts"
import { emptyLog, followLine } from "../../builder/nix-log.ts"

/** What Nix 2.34.8 said, as it says it in internal-json. */
const said = (errors: string, ...log: ReadonlyArray<string>) =>
  [
    ...log.map((line) => `@nix ${JSON.stringify({ action: "result", type: 101, id: 1, fields: [line] })}`),
    `@nix ${JSON.stringify({ action: "msg", level: 0, msg: errors })}`
  ].reduce((before, line) => followLine(before, line)[0], emptyLog)

const url = "http://10.0.0.1/images.tar.gz"
const download = (why: string) =>
  `error:\n       … while fetching the input '${url}'\n\n       error: Failed to open archive (Source threw exception: error: unable to download '${url}': ${why})`
const cannotBuild = (why: string) =>
  `\u001b[31;1merror:\u001b[0m Cannot build '\u001b[35;1m/nix/store/abc-x.drv\u001b[0m'.\n       Reason: \u001b[31;1m${why}\u001b[0m.\n       Output paths:\n         /nix/store/abc-x`

interface Row {
  readonly name: string
  readonly step: Step
  readonly exitCode: number
  readonly log: ReturnType<typeof said>
  readonly reason: string
  readonly says: RegExp
}

const row = (name: string, step: Step, exitCode: number, log: Row["log"], reason: string, says: RegExp): Row => ({
  name,
  step,
  exitCode,
  log,
  reason,
  says
})

const rows: ReadonlyArray<Row> = [
  row(
    "404",
    "lock",
    1,
    said(download("HTTP error 404\n\n  response body:\n\n  <H1>404</H1>")),
    "FetchFailed",
    /HTTP error 404\)/u
  ),
  row(
    "no name",
    "lock",
    1,
    said(download("Could not resolve hostname (6) Could not resolve host: h")),
    "FetchFailed",
    /Could not resolve host/u
  ),
  row(
    "no git repository",
    "lock",
    1,
    said(
      `error:\n       … while fetching the input 'git+${url}'\n\n       error: Failed to fetch git repository '${url}'`
    ),
    "FetchFailed",
    /Failed to fetch git/u
  ),
  row(
    "no registry",
    "lock",
    1,
    said("error: cannot find flake 'flake:nixpkgs' in the flake registries"),
    "FetchFailed",
    /flake:nixpkgs/u
  ),
  row("unknown scheme", "lock", 1, said("error: input 'foo:bar' is unsupported"), "FetchFailed", /foo:bar/u),
  row(
    "not an archive",
    "lock",
    1,
    said(
      `error:\n       … while fetching the input '${url}'\n\n       error: Failed to open archive (Unrecognized archive format)`
    ),
    "FetchFailed",
    /Unrecognized archive format/u
  ),
  row(
    "no flake.nix",
    "lock",
    1,
    said(`error: path '«${url}»/flake.nix' does not exist`),
    "EvaluationFailed",
    /no flake\.nix/u
  ),
  row(
    "syntax",
    "lock",
    1,
    said(`error: syntax error, unexpected '='\n       at «${url}»/flake.nix:3:35:\n            2|   outputs`),
    "EvaluationFailed",
    /unexpected '=' at «.*»\/flake\.nix:3:35\)/u
  ),
  row(
    "input is gone",
    "evaluate",
    1,
    said(
      `error:\n       … while updating the lock file of flake '${url}'\n\n       … while updating the flake input 'x'\n\n       ${download("HTTP error 404")}`
    ),
    "FetchFailed",
    /404/u
  ),
  row(
    "no attribute",
    "evaluate",
    1,
    said(`error: flake '${url}' does not provide attribute 'packages.x86_64-linux.nope.drvPath'`),
    "AttributeMissing",
    /'packages\.x86_64-linux\.nope'\)/u
  ),
  row(
    "attribute is a string",
    "evaluate",
    1,
    said("error: 'packages.x86_64-linux.s' is not an attribute set"),
    "AttributeMissing",
    /packages\.x86_64-linux\.s/u
  ),
  row(
    "throw",
    "evaluate",
    1,
    said(
      "error:\n       … while calling the 'throw' builtin\n         at «x»/flake.nix:58:24:\n\n       error: does not provide attribute, it says itself"
    ),
    "EvaluationFailed",
    /it says itself/u
  ),
  row(
    "import from derivation fails",
    "evaluate",
    100,
    said(cannotBuild("builder failed with exit code 2")),
    "EvaluationFailed",
    /exit code 2/u
  ),
  row(
    "fetchTarball has another hash",
    "evaluate",
    102,
    said(
      "error: hash mismatch in file downloaded from 'http://x':\n         specified: sha256:0\n         got:       sha256:1"
    ),
    "HashMismatch",
    /downloaded from/u
  ),
  row(
    "builder fails",
    "realise",
    100,
    said(cannotBuild("builder failed with exit code 3"), "the compiler says no"),
    "BuildFailed",
    /x\.drv': builder failed with exit code 3\)/u
  ),
  row(
    "time is over",
    "realise",
    101,
    said("error: timed out after 3 seconds", "No space left on device"),
    "TimedOut",
    /after 3 seconds/u
  ),
  row(
    "output has another hash",
    "realise",
    102,
    said("error: hash mismatch in fixed-output derivation '/nix/store/x.drv':\n  specified: a\n  got: b"),
    "HashMismatch",
    /x\.drv/u
  ),
  row(
    "the builder's disk is full",
    "realise",
    100,
    said(cannotBuild("builder failed with exit code 1"), "tar: write error: No space left on device"),
    "DiskFull",
    /make room/u
  ),
  ...["open /tmp/x: no space left on device", "ENOSPC: no space left on device, write", "Disk quota exceeded"].map(
    (words) =>
      row(
        `the builder's disk is full, it says: ${words}`,
        "realise",
        100,
        said(cannotBuild("builder failed with exit code 1"), words),
        "DiskFull",
        /make room/u
      )
  ),
  row(
    "Nix's disk is full",
    "lock",
    1,
    said("error: setting journal mode: database or disk is full, (in '/nix/var/nix/db/db.sqlite')"),
    "DiskFull",
    /make room/u
  ),
  ...[
    "setting journal mode: unable to open database file, unable to open database file (in '/nix/var/nix/db/db.sqlite')",
    'cannot open SQLite database "/nix/home/.cache/nix/fetcher-cache-v4.sqlite": unable to open database file'
  ].map((words) =>
    row(
      `no inodes: ${words}`,
      "lock",
      1,
      said(`error:\n       … while fetching the input '${url}'\n\n       error: ${words}`),
      "DiskFull",
      /make room/u
    )
  ),
  row(
    "a database of the build's own",
    "realise",
    100,
    said(cannotBuild("builder failed with exit code 1"), "sqlite3.OperationalError: unable to open database file"),
    "BuildFailed",
    /the log says why/u
  ),
  row(
    "a source is gone",
    "realise",
    100,
    said(cannotBuild("builder failed with exit code 1"), "error: cannot download x.tar.gz from any mirror"),
    "FetchFailed",
    /could not be fetched/u
  ),
  row(
    "no namespaces",
    "realise",
    1,
    said(
      "error: this system does not support the kernel namespaces that are required for sandboxing; use '--no-sandbox'"
    ),
    "SandboxUnavailable",
    /spec\.sandbox to false/u
  ),
  row(
    "no shell for the sandbox",
    "realise",
    1,
    said(
      'error:\n       … while setting up the build environment\n\n       error: getting attributes of path "/nonexist": No such file or directory'
    ),
    "SandboxUnavailable",
    /nonexist/u
  ),
  row("words nobody knows", "realise", 1, said("error: something new"), "BuildFailed", /something new/u)
]

describe("classify", () => {
  for (const { exitCode, log, name, reason, says, step } of rows) {
    it(`${step}: ${name}`, () => {
      const failure = classify(step, exitCode, log)
      assert.strictEqual(failure.reason, reason)
      assert.match(failure.message, says)
      assert.notInclude(failure.message, "\n")
    })
  }

  it("gives the build's own last lines before Nix's", () => {
    const failure = classify("realise", 100, said(cannotBuild("builder failed"), "one", "two"))
    assert.match(failure.log, /^one\ntwo\nerror: Cannot build/u)
  })
})

describe("gistOf", () => {
  it("is the last line when there is no error", () => assert.strictEqual(gistOf("fatal\nkilled\n"), "killed"))
  it("is empty for nothing", () => assert.strictEqual(gistOf(""), ""))
})
