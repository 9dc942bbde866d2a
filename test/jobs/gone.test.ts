/** When the source that a NixBuild was resolved to is gone: words of Nix 2.34.8 and git 2. */
import { assert, describe, it } from "@effect/vitest"
import { whatIsGone } from "../../jobs/build/gone.ts"
import { emptyLog, followLine } from "../../jobs/build/nix-log.ts"

const rev = "f5d531177a7330e9b270c15cca5df0eb72b8684c"
const [was, is] = [
  "sha256-KIzZs+oEaWyGA3ATnbVuNAysJFz1ExjYrY3maXAzeN0=",
  "sha256-SrFAv9RE1B8H/E3kbVd6Yt1cUFLUgn2H1bPD/MQxD4k="
]
const value = (text: string) => `\u001b[35;1m${text}\u001b[0m`

const log = (raw: string, ...lines: ReadonlyArray<string>) =>
  [...lines, `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `error: ${raw}`, raw_msg: raw })}`].reduce(
    (before, line) => followLine(before, line)[0],
    emptyLog
  )

const tarball = `http://h/x.tar.gz?narHash=${encodeURIComponent(was)}`
const otherHash = `NAR hash mismatch in input '${value(tarball)}', expected '${value(was)}' but got '${value(is)}'`
// As Nix writes them, and as we do.
const slashed = "sha256-H7uNVaDljT3G5Yts/bOxnS+NWIE+LAqDWzznzqaBdSY="
const byUs = `http://h/x.tar.gz?narHash=${encodeURIComponent(slashed)}`
const byNix = byUs.replace("%2F", "/")
const otherThanSlashed = `NAR hash mismatch in input '${value(byNix)}', expected '${value(slashed)}' but got '${value(is)}'`
const notFetched = `Failed to fetch git repository '${value("https://h/x")}'`
const notDownloaded = (what: string) =>
  `unable to download '${value(`https://github.com/a/b/archive/${rev}.tar.gz`)}': ${what}`

describe("whatIsGone", () => {
  for (const [name, lockedUrl, said, says] of [
    ["a tarball with another content", tarball, log(otherHash), [was, is]],
    ["one whose hash has a slash, as Nix writes it", byNix, log(otherThanSlashed), [slashed, is]],
    ["one whose hash has a slash, as we write it", byUs, log(otherThanSlashed), [slashed, is]],
    [
      "a revision that no branch has",
      `git+https://h/x?rev=${rev}`,
      log(`Cannot find Git revision '${value(rev)}' in ref '${value("main")}'`),
      [rev]
    ],
    [
      "a revision that git's server does not give",
      `git+https://h/x?rev=${rev}`,
      log(notFetched, `fatal: remote error: upload-pack: not our ref ${rev}`),
      [rev]
    ],
    [
      "a revision that is not among the files",
      `git+https://h/x?rev=${rev}`,
      log(notFetched, `error: Unable to find ${rev} under http://h/x`),
      [rev]
    ],
    [
      "an archive that a forge does not know",
      `github:a/b/${rev}`,
      log(notDownloaded(`HTTP error ${value("404")}`)),
      [rev]
    ]
  ] as const) {
    it(name, () => {
      const failure = whatIsGone({ lockedUrl, lockedInputs: [] }, said)
      assert.strictEqual(failure?.reason, "SourceGone")
      for (const text of says) assert.include(failure?.message, text)
      assert.match(failure?.message ?? "", /create it again, or put a rev/u)
      const asInput = { lockedUrl: "github:x/y/1", lockedInputs: [{ name: "dep", url: lockedUrl }] }
      assert.strictEqual(whatIsGone(asInput, said)?.reason, "SourceGone", "an input's, too")
    })
  }

  for (const [name, said] of [
    ["another input of the flake", log(otherHash.replaceAll(was, is.replace("S", "T")))],
    ["a forge that does not answer", log(notDownloaded("Could not resolve hostname"))],
    ["a forge that is broken", log(notDownloaded(`HTTP error ${value("502")}`))],
    ["git without an answer", log(notFetched, "fatal: unable to access 'https://h/x/': Could not resolve host: h")],
    ["what a flake throws", log(`hash mismatch in input '${tarball}', expected '${was}' but got '${is}'`)]
  ] as const) {
    it(`${name} is another failure`, () =>
      assert.isUndefined(
        whatIsGone({ lockedUrl: tarball, lockedInputs: [{ name: "dep", url: `github:a/b/${rev}` }] }, said)
      ))
  }
})
