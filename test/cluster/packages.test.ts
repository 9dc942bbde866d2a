/** Images that are made of a list of packages, with real Nix and a package set that needs no internet. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apply, complete, flakeUrl, isRunning, kubectl, makeNamespace, nixBuild, pod, services } from "./cluster.ts"
import type { ImageRequest } from "../../lib/api/image-request.ts"

const node = "enbi-test-worker"
const packages = flakeUrl("packages")

const build = Effect.fnUntraced(function* (namespace: string, name: string, image: ImageRequest) {
  const { packageName: _, ...spec } = nixBuild({ namespace, name }, { flakeUrl: packages, nodes: [node] }).spec
  const at = { namespace, name }
  yield* apply({ ...nixBuild(at, {}), spec: { ...spec, image } })
  return yield* complete(at)
})

describe.concurrent("packages", () => {
  it.live("an image of packages has them, and what every image has", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("packages")
      const { spec, status } = yield* build(namespace, "shell", { contents: ["curl", "jq", "bash", "coreutils"] })
      assert.strictEqual(status?.status, "Succeeded", status?.failure?.message)
      const at = { namespace, name: "user" }
      const command = ["bash", "-c", "while true; do sleep 1; done"]
      yield* apply(pod(at, { container: { image: spec.imageTag, command }, nodeName: node }))
      yield* isRunning(at)
      const script =
        "curl --version; jq; cat /etc/ssl/certs/ca-bundle.crt; /bin/sh -c 'echo sh'; /usr/bin/env; cat /etc/passwd /etc/group; stat -c %a /tmp; touch /tmp/x"
      const said = yield* kubectl("exec", "-n", namespace, "user", "--", "bash", "-c", script)
      for (const words of [
        /curl of x86_64-linux/,
        /jq of x86_64-linux/,
        /no authority/,
        /^sh$/m,
        /^PATH=\/bin:\/usr\/bin$/m,
        /^SSL_CERT_FILE=\/etc\/ssl\/certs\/ca-bundle.crt$/m,
        /^root:x:0:0:/m,
        /^nobody:x:65534:/m,
        /^1777$/m
      ]) {
        assert.match(said, words)
      }
    }).pipe(Effect.provide(services))
  )

  it.live("what the set lacks, and what says no itself, is told by name", () =>
    Effect.gen(function* () {
      const namespace = yield* makeNamespace("no-packages")
      const ends = Effect.fnUntraced(function* (name: string, contents: ReadonlyArray<string>) {
        const { status } = yield* build(namespace, name, { contents })
        return status?.failure
      })
      for (const [name, contents, reason, words] of [
        [
          "missing",
          ["curll", "jq", "haskellPackages.shellchek"],
          "AttributeMissing",
          /no curll \(nearest: curl\); no haskellPackages\.shellchek \(nearest: haskellPackages\.ShellCheck/
        ],
        ["others", ["lib", "callPackage", "jq"], "AttributeMissing", /callPackage \(a function\) and lib \(a set\)/],
        [
          "alias",
          ["vim_configurable"],
          "EvaluationFailed",
          /'vim_configurable' has been renamed to\/replaced by 'neovim'/
        ],
        ["unfree", ["unrar"], "EvaluationFailed", /unrar-7\.1’ has an unfree license/]
      ] as const) {
        const failure = yield* ends(name, contents)
        assert.strictEqual(failure?.reason, reason, name)
        assert.match(failure?.message ?? "", words)
      }
    }).pipe(Effect.provide(services))
  )
})
