/** What a build Pod may say that spec.flakeUrl was resolved to. */
import { assert, describe, it } from "@effect/vitest"
import { namesRevision, refusalOf } from "../lib/nixbuild/source.ts"

const rev = "f5d531177a7330e9b270c15cca5df0eb72b8684c"
const hash = "narHash=sha256-67LA2Gv%2BjAlomOQO4e%2BwDA1%2BwBXdeMx68qUYuXUFocc%3D"

describe("a source that may be", () => {
  for (const [asked, locked, why] of [
    ["github:a/b", `github:a/b/${rev}?${hash}`, "as Nix writes it"],
    ["github:A/b/main", `github:a/B/${rev}`, "in other letters"],
    ["github:a/b?dir=sub", `github:a/b/${rev}?dir=sub&${hash}`, "a folder of it"],
    ["gitlab:group%2Fsub/b", `gitlab:group/sub/b/${rev}`.replace("group/sub", "group%2fsub"), "a group within a group"],
    ["sourcehut:~u/b", `sourcehut:~u/b/${rev}`, "a user"],
    ["git+https://h/b.git?ref=main", `git+https://h/b.git?ref=main&rev=${rev}`, "a branch"],
    ["git+https://h/%7Eu/b", `git+https://h/~u/b?rev=${rev}`, "written otherwise"],
    ["git+ssh://git@h/b", `git+ssh://git@h/b?ref=refs/heads/main&rev=${rev}`, "over ssh, where a user is no secret"],
    ["https://h/b.tar.gz", `https://h/b.tar.gz?${hash}`, "a tarball"],
    ["https://h/b", `tarball+https://h/b?${hash}`, "that its name does not say is one"],
    [
      "https://h/latest.tar.gz",
      `https://cdn.h/${rev}.tar.gz?${hash}&rev=${rev}`,
      "the place that the server says stays"
    ],
    ["http://h/b.tar.gz", `http://h/b.tar.gz?${hash}`, "where plain http is allowed"],
    [`https://h/b.tar.gz?${hash}`, `https://h/b.tar.gz?${hash}`, "with a hash from the beginning"]
  ] as const) {
    it(`${why}: ${asked}`, () => assert.isUndefined(refusalOf(asked, { lockedUrl: locked, lockedInputs: [] })))
  }
})

describe("a source that may not be", () => {
  for (const [asked, locked, says] of [
    ["github:a/b", `path:/etc?${hash}`, /must start with/u],
    ["github:a/b", `file:///etc?${hash}`, /must start with/u],
    ["https://h/b", `https://token@h/b?${hash}`, /^https:\/\/…@h.*must not contain a user name or token/u],
    ["github:a/b", "github:a/b", /neither a revision nor a hash/u],
    ["git+https://h/b", "git+https://h/b?ref=main", /neither a revision nor a hash/u],
    ["github:a/b", `github:a/c/${rev}`, /not from the same source/u],
    ["github:a/b", `gitlab:a/b/${rev}`, /not from the same source/u],
    ["github:a/b", `github:a/b/${rev}?host=evil.example`, /not from the same source/u],
    ["github:a/b", `git+https://github.com/a/b?rev=${rev}`, /not from the same source/u],
    ["github:a/b?dir=sub", `github:a/b/${rev}?dir=other`, /not from the same source/u],
    ["git+https://h/b", `git+https://other/b?rev=${rev}`, /not from the same source/u],
    ["git+https://h/b", `git+http://h/b?rev=${rev}`, /not from the same source/u],
    ["https://h/b.tar.gz", `http://h/b.tar.gz?${hash}`, /not from the same source/u],
    ["https://h/b.tar.gz", `http://other/b.tar.gz?${hash}`, /not from the same source/u],
    ["https://h/b.tar.gz", `git+https://h/b.tar.gz?rev=${rev}`, /not from the same source/u],
    [`https://h/b.tar.gz?${hash}`, `https://other/b.tar.gz?${hash}`, /not from the same source/u],
    ["https://h/b.tar.gz", `https://h/b.tar.gz?${hash} --impure`, /printable ASCII/u]
  ] as const) {
    it(`${asked}, ${locked}`, () => {
      const refusal = refusalOf(asked, { lockedUrl: locked, lockedInputs: [] }) ?? ""
      assert.match(refusal, says)
      assert.notInclude(refusal, "token@")
    })
  }

  for (const [name, url, says] of [
    ["nixpkgs", `file:///etc?${hash}`, /must start with/u],
    ["nixpkgs", "github:NixOS/nixpkgs", /neither a revision nor a hash/u],
    ["--impure", `github:NixOS/nixpkgs/${rev}`, /not the name of an input/u],
    ["a b", `github:NixOS/nixpkgs/${rev}`, /not the name of an input/u],
    ["a//b", `github:NixOS/nixpkgs/${rev}`, /not the name of an input/u]
  ] as const) {
    it(`input ${name}, ${url}`, () => {
      const source = { lockedUrl: `github:a/b/${rev}`, lockedInputs: [{ name, url }] }
      assert.match(refusalOf("github:a/b", source) ?? "", says)
      const good = { ...source, lockedInputs: [{ name: "a/b-c", url: `github:NixOS/nixpkgs/${rev}` }] }
      assert.isUndefined(refusalOf("github:a/b", good))
    })
  }
})

it("what the API server would refuse is refused before", () => {
  const input = (name: string) => ({ name, url: `github:NixOS/nixpkgs/${rev}` })
  const refusal = (...lockedInputs: ReadonlyArray<{ readonly name: string; readonly url: string }>) =>
    refusalOf("github:a/b", { lockedUrl: `github:a/b/${rev}`, lockedInputs })
  assert.match(refusal(input("a"), input("a")) ?? "", /named twice/u)
  assert.match(refusal(...Array.from({ length: 33 }, (_, index) => input(`a${index}`))) ?? "", /more than 32/u)
  assert.match(refusal(input("a".repeat(257))) ?? "", /not the name/u)
  assert.match(refusal({ name: "a", url: `https://h/${"x".repeat(2500)}?${hash}` }) ?? "", /more than 2500/u)
})

it("a URL with a revision asks nobody what it means", () => {
  for (const url of [`github:a/b/${rev}`, `github:a/b?rev=${rev}`, `git+https://h/b?ref=main&rev=${rev}`]) {
    assert.isTrue(namesRevision(url), url)
  }
  for (const url of ["github:a/b", "github:a/b/main", "git+https://h/b?ref=main", `https://h/b.tar.gz?${hash}`]) {
    assert.isFalse(namesRevision(url), url)
  }
})
