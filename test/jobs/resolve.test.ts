/** Whom the build Job's program asks what the flake is, and what it says of the answer. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { own } from "./cache.ts"
import { run, withNix } from "./program.ts"

const services = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices>) =>
  Effect.provide(effect, NodeServices.layer)

const rev = "f5d531177a7330e9b270c15cca5df0eb72b8684c"
const value = (text: string) => `\u001b[35;1m${text}\u001b[0m`
const found = (url: string, nodes: object = {}) =>
  JSON.stringify({ url, path: "/nix/store/source", locks: { root: "root", nodes } })

/** What Nix was asked, one line each: the caches, the options that matter, and the flake. */
const note = (root: string) =>
  `echo "$XDG_CACHE_HOME|$(echo "$*" | sed 's/.*--json//; s/--apply.*--/--/; s/--timeout [0-9]* //' | tr '\\n' ' ')" >> ${root}/asked`

const withForge = Effect.fnUntraced(function* (
  metadata: (root: string) => string,
  nixStore?: (root: string) => string
) {
  const fs = yield* FileSystem.FileSystem
  const made = yield* withNix("")
  const { root } = made
  yield* made.program(
    "nix",
    `${note(root)}
     case "$*" in
       *"flake metadata"*) ${metadata(root)} ;;
       *eval*) echo '{"drvPath":"/nix/store/a-hello.drv","outputs":["out"],"meant":[]}' ;;
     esac`
  )
  yield* made.program("nix-store", nixStore?.(root) ?? "exit 1")
  const asked = Effect.map(fs.readFileString(`${root}/asked`), (text) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [cacheHome = "", command = ""] = line.split("|")
        return { cacheHome, command }
      })
  )
  return { ...made, asked }
})

describe.concurrent("lock", { timeout: 60_000 }, () => {
  it.live("the first asks with a cache of its own, evaluates with that, and tells the source though it fails", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const locked = `github:a/b/${rev}`
      const made = yield* withForge(
        () => `echo '${found(locked)}'`,
        (root) => `cp ${root}/result ${root}/meanwhile; exit 100`
      )
      const { result } = yield* run(made.root, 60)
      assert.deepInclude(result, { outcome: "Failed", reason: "BuildFailed", lockedUrl: locked })
      assert.strictEqual(
        yield* fs.readFileString(`${made.root}/meanwhile`),
        JSON.stringify({ outcome: "Locked", lockedUrl: locked }),
        "and if it had been killed"
      )
      const [first, second, ...more] = yield* made.asked
      assert.lengthOf(more, 0)
      assert.include(first?.command, "-- github:a/b ")
      assert.include(second?.command, `-- ${locked}#.packages.x86_64-linux.hello`)
      assert.strictEqual(first?.cacheHome, made.cache.fetchedOf(own))
      assert.strictEqual(second?.cacheHome, first?.cacheHome)
    }).pipe(Effect.scoped, services)
  )

  it.live("inputs without a lock are part of the source, and are what is built", () =>
    Effect.gen(function* () {
      const nixpkgs = { type: "github", owner: "NixOS", repo: "nixpkgs", rev }
      const nodes = { root: { inputs: { nixpkgs: "nixpkgs" } }, nixpkgs: { locked: nixpkgs } }
      const made = yield* withForge(() => `echo '${found(`github:a/b/${rev}`, nodes)}'`)
      const { result } = yield* run(made.root, 60)
      const url = `github:NixOS/nixpkgs/${rev}`
      assert.deepInclude(result, { lockedInputs: [{ name: "nixpkgs", url }] })
      const [, second] = yield* made.asked
      assert.include(second?.command, `--override-input nixpkgs ${url} `)
    }).pipe(Effect.scoped, services)
  )

  it.live("too many inputs without a lock are refused", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 40 }, (_, index) => `input-${index}`)
      const nodes = Object.fromEntries([
        ["root", { inputs: Object.fromEntries(names.map((name) => [name, name])) }],
        ...names.map((name) => [name, { locked: { type: "github", owner: "a", repo: name, rev } }])
      ])
      const made = yield* withForge(() => `echo '${found(`github:a/b/${rev}`, nodes)}'`)
      const { result } = yield* run(made.root, 60)
      assert.strictEqual(result.outcome === "Failed" ? result.reason : "", "EvaluationFailed")
      assert.match(
        result.outcome === "Failed" ? result.message : "",
        /40 of its inputs \(input-0, .*Commit a flake\.lock/u
      )
      assert.isUndefined(result.lockedUrl)
    }).pipe(Effect.scoped, services)
  )

  for (const [locked, says] of [
    [`git+https://elsewhere/b?rev=${rev}`, /not from the same source/u],
    [`github:a/b/${rev}?x=${"x".repeat(3000)}`, /more than 2500/u]
  ] as const) {
    it.live(`what nobody else may be told is refused: ${says.source}`, () =>
      Effect.gen(function* () {
        const made = yield* withForge(() => `echo '${found(locked)}'`)
        const { result } = yield* run(made.root, 60)
        assert.strictEqual(result.outcome === "Failed" ? result.reason : "", "SourceRefused")
        assert.match(result.outcome === "Failed" ? result.message : "", says)
        assert.isUndefined(result.lockedUrl)
      }).pipe(Effect.scoped, services)
    )
  }

  it.live("a flake that names a rev asks nobody: the volume's caches do", () =>
    Effect.gen(function* () {
      const flakeUrl = `github:a/b?rev=${rev}`
      const made = yield* withForge(() => `echo '${found(`github:a/b/${rev}`)}'`)
      yield* run(made.root, 60, { FLAKE_URL: flakeUrl })
      assert.deepStrictEqual(
        (yield* made.asked).map(({ cacheHome }) => cacheHome),
        ["", ""]
      )
    }).pipe(Effect.scoped, services)
  )

  it.live("whoever is told the source asks for that, with the inputs that belong to it", () =>
    Effect.gen(function* () {
      const lockedUrl = `https://h/b.tar.gz?narHash=sha256-x`
      const lockedInputs = [{ name: "dep", url: `github:a/dep/${rev}` }]
      const made = yield* withForge(() => `echo '${found(lockedUrl)}'`)
      const env = { LOCKED_URL: lockedUrl, LOCKED_INPUTS: JSON.stringify(lockedInputs) }
      const { result } = yield* run(made.root, 60, { FLAKE_URL: "https://h/b.tar.gz", ...env })
      assert.deepInclude(result, { lockedUrl, lockedInputs })
      for (const { cacheHome, command } of yield* made.asked) {
        assert.strictEqual(cacheHome, "")
        assert.include(command, `--override-input dep github:a/dep/${rev}`)
        assert.include(command, `-- ${lockedUrl}`)
      }
    }).pipe(Effect.scoped, services)
  )

  it.live("the next attempt has what this NixBuild fetched, and the first of all has nothing from before", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const lockedUrl = `github:a/b/${rev}`
      const made = yield* withForge(() => `mkdir -p "$XDG_CACHE_HOME/nix"; echo '${found(lockedUrl)}'`)
      const old = `${made.cache.fetchedOf(own)}/nix/old`
      yield* fs.makeDirectory(old, { recursive: true })
      yield* run(made.root, 60)
      assert.isFalse(yield* fs.exists(old))
      yield* run(made.root, 60, { LOCKED_URL: lockedUrl })
      assert.deepStrictEqual(
        (yield* made.asked).map(({ cacheHome }) => cacheHome),
        Array(4).fill(made.cache.fetchedOf(own))
      )
    }).pipe(Effect.scoped, services)
  )

  it.live("a source that is gone is SourceGone, with what was and what is, and nothing is built", () =>
    Effect.gen(function* () {
      const lockedUrl = "https://h/b.tar.gz?narHash=sha256-was"
      const raw = `NAR hash mismatch in input '${value(lockedUrl)}', expected '${value("sha256-was")}' but got '${value("sha256-is")}'`
      const error = `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `error: ${raw}`, raw_msg: raw })}`
      const made = yield* withForge(
        (root) => `case "$*" in
          *"-- ${lockedUrl}") cat ${root}/error >&2; exit 102 ;;
          *) echo '${found("https://h/b.tar.gz?narHash=sha256-is")}' ;;
        esac`
      )
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${made.root}/error`, error)
      const { result } = yield* run(made.root, 60, { FLAKE_URL: "https://h/b.tar.gz", LOCKED_URL: lockedUrl })
      assert.strictEqual(result.outcome === "Failed" ? result.reason : "", "SourceGone")
      assert.match(
        result.outcome === "Failed" ? result.message : "",
        /sha256-was .*sha256-is.*The current source: https:\/\/h\/b\.tar\.gz\?narHash=sha256-is$/u
      )
      const asked = yield* made.asked
      // The forge is asked for that source; and then, for people, what it has now.
      assert.deepStrictEqual(
        asked.map(({ cacheHome, command }) => [
          cacheHome !== "",
          command.includes("--option tarball-ttl 0 "),
          command.includes(lockedUrl)
        ]),
        [
          [false, true, true],
          [true, false, false]
        ]
      )
    }).pipe(Effect.scoped, services)
  )
})
