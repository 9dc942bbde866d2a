/** What a build cannot reach, and namespaces that will not have its Pod. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { jobs, pods } from "../../lib/kubernetes/kinds.ts"
import {
  amongAll,
  apply,
  complete,
  conditionWith,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  services,
  when
} from "./cluster.ts"

describe("sandbox", () => {
  for (const [packageName, log] of [
    ["try-network", /the network is out of reach/],
    ["stream-network", /the network is out of reach/],
    ["try-outside", /outside is out of reach/],
    ["stream-outside", /outside is out of reach/]
  ] as const) {
    it.live(`${packageName} fails in the sandbox, and without it does not`, () =>
      Effect.gen(function* () {
        const inside = { namespace: yield* makeNamespace(`${packageName}-inside`), name: "build" }
        yield* apply(nixBuild(inside, { packageName }))
        const { status } = yield* complete(inside)
        assert.strictEqual(status?.failure?.reason, "BuildFailed")
        assert.match(status?.failure?.log ?? "", log)
        // The same package makes an image where nothing stops it: so it was the sandbox.
        const outside = { namespace: yield* makeNamespace(`${packageName}-outside`), name: "build" }
        yield* apply(nixBuild(outside, { packageName, sandbox: false }))
        assert.strictEqual((yield* complete(outside)).status?.status, "Succeeded")
      }).pipe(Effect.provide(services))
    )
  }

  it.live("the builder Pod has no token, no socket, no capability, and is not root", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("builder-pod"), name: "hang" }
      yield* apply(nixBuild(at, { packageName: "hang" }))
      const builder = yield* amongAll("the build runs", { kind: pods, namespace: at.namespace }, (found) =>
        Option.fromNullishOr(found.find((pod) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined))
      )
      const inPod = (script: string) =>
        kubectl("exec", "-n", at.namespace, builder.metadata.name, "--", "busybox", "sh", "-c", script)
      assert.strictEqual((yield* inPod("id -u")).trim(), "1000")
      const status = yield* inPod("cat /proc/self/status")
      for (const set of ["CapEff", "CapPrm", "CapBnd"]) assert.match(status, new RegExp(`${set}:\\s+0{16}\\n`))
      assert.match(status, /NoNewPrivs:\s+1\n/)
      assert.strictEqual((yield* inPod("ls -d /var/run/secrets/kubernetes.io 2>/dev/null; true")).trim(), "")
      assert.strictEqual((yield* inPod("find / -xdev -type s 2>/dev/null; true")).trim(), "", "sockets")
      assert.notMatch(yield* inPod("cat /proc/self/uid_map"), /^\s*0\s+0\s/, "a user namespace of its own")
      const mounts = (yield* inPod("cut -d' ' -f2 /proc/self/mounts")).split("\n")
      assert.include(mounts, "/nix")
      assert.notInclude(mounts, "/run")
      // It would hold a slot of the node for an hour.
      yield* kubectl("delete", "nixbuild", "-n", at.namespace, at.name)
    }).pipe(Effect.provide(services))
  )

  it.live("in a namespace that enforces baseline it waits with PodSecurityDenied and says what to do", () =>
    Effect.gen(function* () {
      const at = {
        namespace: yield* makeNamespace("baseline", { "pod-security.kubernetes.io/enforce": "baseline" }),
        name: "build"
      }
      yield* apply(nixBuild(at, {}))
      const launched = yield* conditionWith(at, "PodSecurityDenied")
      assert.strictEqual(launched.type, "Launched")
      assert.strictEqual(launched.status, "False")
      assert.include(launched.message, "spec.sandbox to false")
      assert.include(launched.message, "baseline")
      assert.lengthOf(yield* list(jobs, at.namespace), 0)
      // Someone changes what must change, and it goes on by itself.
      yield* kubectl("label", "namespace", at.namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
      assert.strictEqual((yield* complete(at)).status?.status, "Succeeded")
    }).pipe(Effect.provide(services))
  )

  it.live("without the sandbox it builds in a namespace that enforces restricted", () =>
    Effect.gen(function* () {
      const at = {
        namespace: yield* makeNamespace("restricted", { "pod-security.kubernetes.io/enforce": "restricted" }),
        name: "build"
      }
      yield* apply(nixBuild(at, { sandbox: false }))
      const { status } = yield* complete(at)
      assert.strictEqual(status?.status, "Succeeded")
      yield* amongAll("its Jobs go", { kind: jobs, namespace: at.namespace }, (left) => when(true, left.length === 0))
    }).pipe(Effect.provide(services))
  )
})
