/**
 * What the API server refuses, with the field's path, and what it takes. The
 * numbers are those of the corpus of bad inputs (D).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { pending } from "../../lib/api/nixbuild-condition.ts"
import { apply, complete, firstStatusOf, kubectl, makeNamespace, nixBuild, refusalOf, services } from "./cluster.ts"

const ns = "admission"
const rev = "f5d531177a7330e9b270c15cca5df0eb72b8684c"
const dryRun = { dryRun: true }

interface Row {
  readonly number: number
  readonly field: "flakeUrl" | "imageTag" | "packageName" | "system"
  readonly values: ReadonlyArray<string>
}

const refused: ReadonlyArray<Row> = [
  { number: 1, field: "flakeUrl", values: ["path:/", "path:/var/run", "/etc"] },
  { number: 2, field: "flakeUrl", values: ["path:./..", "./..", ".."] },
  { number: 3, field: "flakeUrl", values: ["git+file:///etc"] },
  { number: 4, field: "flakeUrl", values: ["file:///etc/shadow", "tarball+file:///etc/x.tar.gz"] },
  { number: 6, field: "flakeUrl", values: ["https://user:tok@h/r", "git+https://tok@h/r", "git+ssh://u:p@h/r"] },
  { number: 8, field: "flakeUrl", values: ["github:", "github:a", "github:a/b/../c", "github:a/..", "github:/b"] },
  { number: 9, field: "flakeUrl", values: ["nixpkgs", "flake:nixpkgs", "nixpkgs/nixos-25.05"] },
  {
    number: 11,
    field: "flakeUrl",
    values: [rev.slice(1), `${rev}0`, rev.toUpperCase(), `sha256-${rev}`].map((bad) => `git+https://h/r?rev=${bad}`)
  },
  {
    number: 12,
    field: "flakeUrl",
    values: [
      "git+https://h/r?dir=../../x",
      "git+https://h/r?dir=%2e%2e",
      "github:a/b?dir=x/..",
      "git+https://h/r?dir=a%2F..%2Fb"
    ]
  },
  { number: 13, field: "flakeUrl", values: ["github:a/b#packages", `git+https://h/r?rev=${rev}#x`] },
  { number: 14, field: "flakeUrl", values: ["--option", "-f", "--option substituters x"] },
  {
    number: 15,
    field: "flakeUrl",
    values: [
      "github:a/b\n",
      "github:a/b\u0000",
      "github:a/b\tc",
      "github:a/b\u202e",
      "https://\u0430pple.com/x.tar.gz",
      "https://xn--pple-43d.com/x.tar.gz"
    ]
  },
  {
    number: 16,
    field: "flakeUrl",
    values: [`https://h/${"a".repeat(2049 - 10)}`, `https://h/${"a".repeat(1_000_000)}`]
  },
  {
    number: 19,
    field: "packageName",
    values: ["a; rm -rf /", "$(id)", "`id`", "${x}", 'a.b."c.d"', "-f", "a b", "a\nb"]
  },
  { number: 20, field: "packageName", values: ["", ".", "...", ".".repeat(10_000), "a..b", ".a", "a."] },
  { number: 20, field: "packageName", values: ["app^", "app^*", "app^out,image", "app^a^b", "^image", "app^a b"] },
  { number: 22, field: "flakeUrl", values: ["nossa.ee/talya/chog:1"] },
  { number: 22, field: "imageTag", values: [`git+https://nossa.ee/~talya/chog?rev=${rev}`] },
  {
    number: 34,
    field: "imageTag",
    values: [
      "Foo:1",
      "h.org/Foo/bar:1",
      "a b:1",
      " a:1",
      `${"a".repeat(256)}:1`,
      `a:${"b".repeat(129)}`,
      "a:",
      "a",
      "",
      ":1",
      "a//b:1",
      `a@sha256:${"0".repeat(64)}`
    ]
  },
  {
    number: 31,
    field: "imageTag",
    values: [
      "nginx:latest",
      "library/nginx:latest",
      "docker.io/nginx:latest",
      "docker.io/library/nginx:latest",
      "index.docker.io/library/nginx:latest"
    ]
  },
  {
    number: 33,
    field: "imageTag",
    values: [
      "registry.k8s.io/pause:3.10",
      "registry.k8s.io/kube-proxy:v1.34.4",
      "k8s.gcr.io/coredns/coredns:v1",
      "registry.invalid/mirror/pause:3.10",
      "registry.invalid/google-pause:1",
      "127.0.0.1:5080/tools:v1",
      "localhost:5080/apps/tools:v1"
    ]
  },
  {
    number: 36,
    field: "imageTag",
    values: ["registry.invalid/a", "registry.invalid/a:1"].map((name) => `${name}@sha256:${"0".repeat(64)}`)
  },
  { number: 21, field: "system", values: ["x86_64-darwin", "X86_64-Linux", ""] }
]

const accepted: Record<Row["field"], ReadonlyArray<string>> = {
  flakeUrl: [
    `git+https://nossa.ee/~talya/chog?rev=${rev}`,
    "github:owner/repo",
    "github:owner/repo/main",
    `github:owner/repo/${rev}`,
    "github:owner/repo?dir=sub/dir",
    "gitlab:group%2Fsub/repo",
    "sourcehut:~user/repo",
    "git+ssh://git@host/repo.git?ref=main",
    "https://h.org:8443/x.tar.gz",
    "tarball+https://h.org/x?narHash=sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D",
    `git+https://h/r?rev=${rev}${"0".repeat(24)}`,
    "http://flakes.default.svc/x.tar.gz"
  ],
  imageTag: [
    "nossa.ee/talya/chog:f5d531177a7330e9b270c15cca5df0eb72b8684c",
    "localhost/hello:1",
    "localhost:5000/a/b__c:v1.2_3-x",
    "registry.invalid/pause/app:1",
    `h.org/a:${"b".repeat(128)}`
  ],
  packageName: ["chog-docker.stream-layered", "default", "_a'.b_2", "7zip", "app^image", "a.b^out"],
  system: ["aarch64-linux", "riscv64-linux"]
}

const shown = (value: string): string => JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)

describe("admission", () => {
  for (const { field, number, values } of refused) {
    it.live(`D${number}: ${field} ${values.map(shown).join(", ").slice(0, 150)}`, () =>
      Effect.gen(function* () {
        for (const value of values) {
          const object = nixBuild({ namespace: "default", name: "bad" }, {})
          const refusal = yield* refusalOf({ ...object, spec: { ...object.spec, [field]: value } }, "create", dryRun)
          assert.include(refusal, `spec.${field}`, shown(value))
        }
      }).pipe(Effect.provide(services))
    )
  }

  for (const [field, values] of Object.entries(accepted)) {
    it.live(`what is right is taken: ${field}`, () =>
      Effect.gen(function* () {
        for (const value of values) {
          const object = nixBuild({ namespace: "default", name: "good" }, {})
          assert.strictEqual(
            yield* refusalOf({ ...object, spec: { ...object.spec, [field]: value } }, "create", dryRun),
            "",
            value
          )
        }
      }).pipe(Effect.provide(services))
    )
  }

  it.live("unknown fields, wrong types, null", () =>
    Effect.gen(function* () {
      const { spec, ...object } = nixBuild({ namespace: "default", name: "bad" }, {})
      for (const [more, path] of [
        [{ flakeURL: "github:a/b" }, "spec.flakeURL"],
        [{ timeoutSeconds: "60" }, "spec.timeoutSeconds"],
        [{ imageTag: 1 }, "spec.imageTag"],
        [{ flakeUrl: null }, "spec.flakeUrl"],
        [{ sandbox: "no" }, "spec.sandbox"],
        [{ nodes: "one" }, "spec.nodes"],
        [{ timeoutSeconds: 0 }, "spec.timeoutSeconds"]
      ] as const) {
        assert.include(yield* refusalOf({ ...object, spec: { ...spec, ...more } }, "create", dryRun), path)
      }
    }).pipe(Effect.provide(services))
  )

  it.live("the four fields can't be changed, nodes can; a name of 253 characters builds", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace(ns), name: `${"long-name.".repeat(25)}end` }
      assert.lengthOf(at.name, 253)
      const object = nixBuild(at, { imageTag: "registry.invalid/long:1", nodes: ["enbi-test-worker"] })
      yield* apply(object)
      for (const [field, value] of [
        ["flakeUrl", "github:a/b"],
        ["imageTag", "a:2"],
        ["packageName", "other"],
        ["system", "aarch64-linux"]
      ] as const) {
        const changed = { ...object, spec: { ...object.spec, [field]: value } }
        const refusal = yield* refusalOf(changed, "apply")
        assert.include(refusal, `spec.${field}`)
        assert.include(refusal, "is immutable")
      }
      assert.strictEqual((yield* complete(at)).status?.status, "Succeeded")
      const two = { ...object, spec: { ...object.spec, nodes: ["enbi-test-worker", "enbi-test-worker2"] } }
      assert.strictEqual(yield* refusalOf(two, "apply"), "")
    }).pipe(Effect.provide(services))
  )

  it.live("a NixBuild is not Ready before anybody has looked at it", () =>
    Effect.gen(function* () {
      const object = nixBuild({ namespace: "default", name: "new" }, {})
      assert.deepStrictEqual(yield* firstStatusOf(object), { conditions: [pending] })
      // Only the functions write a status, so one that comes with the object is dropped.
      const status = { conditions: [{ ...pending, status: "True" }] }
      assert.deepStrictEqual(yield* firstStatusOf({ ...object, status }), { conditions: [pending] })
    }).pipe(Effect.provide(services))
  )

  it.live("kubectl explain is a manual", () =>
    Effect.gen(function* () {
      const spec = yield* kubectl("explain", "nixbuild.spec")
      for (const field of [
        "flakeUrl",
        "imageTag",
        "packageName",
        "system",
        "nodes",
        "timeoutSeconds",
        "sandbox",
        "resources"
      ]) {
        assert.match(spec, new RegExp(`${field}\\t`))
      }
      assert.match(yield* kubectl("explain", "nixbuild.spec.timeoutSeconds"), /seconds/)
      assert.match(yield* kubectl("explain", "nb.status.conditions"), /Scheduled: a node was chosen/)
    }).pipe(Effect.provide(services))
  )
})
