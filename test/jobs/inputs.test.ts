/** Inputs that no flake.lock locks, as `nix flake metadata` of Nix 2.34.8 has them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Locks, looseInputs, noLocks } from "../../jobs/build/inputs.ts"

const rev = "037acc98d340fe5f736aebe732f9bf92f7c4a7d6"
const narHash = "sha256-H7uNVaDljT3G5Yts/bOxnS+NWIE+LAqDWzznzqaBdSY="
const encodedHash = "sha256-H7uNVaDljT3G5Yts%2FbOxnS%2BNWIE%2BLAqDWzznzqaBdSY%3D"

const github = { lastModified: 1, narHash, owner: "NixOS", repo: "nixpkgs", rev, type: "github" }

const now: Locks = {
  root: "root",
  nodes: {
    root: { inputs: { dep: "dep", loc: "loc", nixpkgs: "nixpkgs", t: "t", u: ["dep", "u"] } },
    dep: {
      inputs: { u: "u" },
      locked: {
        lastModified: 1,
        narHash,
        ref: "refs/heads/main",
        rev,
        revCount: 1,
        type: "git",
        url: "http://h/dep/.git"
      }
    },
    u: { locked: { ...github, owner: "group/sub", repo: "u", type: "gitlab" } },
    loc: { inputs: { far: "far" }, locked: { path: "./sub", type: "path" } },
    far: { locked: { ...github, dir: "far", repo: "far", type: "github" } },
    nixpkgs: { locked: github },
    t: { locked: { lastModified: 1, narHash, type: "tarball", url: "http://h/t.tar.gz?x=1" } }
  }
}

const all = {
  dep: `git+http://h/dep/.git?ref=refs%2Fheads%2Fmain&rev=${rev}`,
  "dep/u": `gitlab:group%2Fsub/u/${rev}?narHash=${encodedHash}`,
  "loc/far": `github:NixOS/far/${rev}?narHash=${encodedHash}&dir=far`,
  nixpkgs: `github:NixOS/nixpkgs/${rev}?narHash=${encodedHash}`,
  t: `tarball+http://h/t.tar.gz?x=1&narHash=${encodedHash}`
}

const found = (committed: Locks) =>
  Effect.map(looseInputs(now, committed), (inputs) =>
    Object.fromEntries(inputs.map(({ name, url }) => [name, url] as const))
  )

it.effect("without a flake.lock all inputs are loose, but what is of the flake itself or follows another", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* found(noLocks), all)
  })
)

it.effect("what a flake.lock locks is not", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* found(now), {})
    const { nodes } = now
    const withoutT = { ...now, nodes: { ...nodes, root: { inputs: { dep: "dep", loc: "loc", nixpkgs: "nixpkgs" } } } }
    assert.deepStrictEqual(yield* found(withoutT), { t: all.t })
    const older = { ...now, nodes: { ...nodes, dep: { ...nodes["dep"], locked: { ...github, rev: "0".repeat(40) } } } }
    // With the flake its inputs are others too.
    assert.deepStrictEqual(yield* found(older), { dep: all.dep, "dep/u": all["dep/u"] })
  })
)

it.effect("an input that has no URL with all of it needs a flake.lock", () =>
  Effect.gen(function* () {
    for (const locked of [
      { type: "path", path: "/nix/store/x", narHash },
      { type: "hg", url: "http://h/x", rev },
      { type: "github", owner: "a", repo: "b" }
    ]) {
      const locks = { root: "root", nodes: { root: { inputs: { odd: "odd" } }, odd: { locked } } }
      const failure = yield* Effect.flip(looseInputs(locks, noLocks))
      assert.strictEqual(failure.reason, "EvaluationFailed")
      assert.match(failure.message, /input odd.*Commit a flake\.lock/u)
    }
  })
)
