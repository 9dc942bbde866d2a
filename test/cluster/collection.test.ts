/** A cache that is collected beside builds: what that does to them without our locks, and that it waits with them. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Option } from "effect"
import { makeBuildPod } from "../../functions/job-launcher/build-job.ts"
import { namespaces, pods } from "../../lib/kubernetes/kinds.ts"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  amongAll,
  apply,
  type At,
  becomes,
  builderImage,
  complete,
  eventually,
  find,
  flakeUrl,
  kubectl,
  makeNamespace,
  nixBuild,
  onNode,
  services,
  when
} from "./cluster.ts"
import { writeFilter } from "../../lib/nixbuild/uid-filter.ts"
import { workers } from "./nodes.ts"

const [, node = ""] = workers

/** The Pod that would build `build`, with a cache limit that is always exceeded, and all but `live` gone. */
const buildPod = (build: NixBuild, live: ReadonlyArray<NixBuild>) =>
  makeBuildPod({
    build,
    node,
    settings: {
      builderImage,
      nodeRepel: [],
      buildEgress: "open" as const,
      closedCidrs: [],
      substituters: [],
      trustedPublicKeys: [],
      cacheLimitBytes: 1
    },
    liveFilter: writeFilter({ of: build.metadata.uid, uids: live.map(({ metadata }) => metadata.uid) }),
    // As if some minutes had passed: what was made just now is old enough to go.
    liveTime: DateTime.formatIso(DateTime.add(DateTime.nowUnsafe(), { minutes: 10 }))
  }).spec

/** Runs it by itself, outside of any Job, so that no function acts on it. */
const runPod = (at: At, spec: object) => apply({ apiVersion: "v1", kind: "Pod", metadata: at, spec })

// Nix in the place of our program, as process 1: who builds and who collects must count their processes alike for the
// hazard, and process 1 is the only one of which that is sure.
const nix = (build: NixBuild, name: string, command: ReadonlyArray<string>) => {
  const [container] = buildPod(build, []).containers
  return { ...container, name, command: ["nix"], args: command }
}

const logsOf = ({ name, namespace }: At) => kubectl("logs", "-n", namespace, name, "--all-containers")

const says = (at: At, words: string) =>
  eventually(
    `"${words}" in the log of ${at.name}`,
    Effect.map(
      Effect.orElseSucceed(logsOf(at), () => ""),
      (log) => when(log, log.includes(words))
    )
  )

const ended = (at: At) =>
  becomes(
    `the end of Pod ${at.name}`,
    pods,
    at,
    Option.flatMap(({ status }) =>
      status?.phase === "Succeeded" || status?.phase === "Failed" ? Option.some(status.phase) : Option.none()
    )
  )

/** Tells the build of `slow` in a Pod to go on. */
const goOn = Effect.fnUntraced(function* (at: At) {
  const { metadata } = yield* Effect.flatMap(find(pods, at), Effect.fromOption)
  const script = `for process in $(grep -lsE '${metadata.uid}|${metadata.uid.replaceAll("-", "_")}' /proc/[0-9]*/cgroup); do
    process=$(dirname "$process")
    ! grep -qs 'slow begins' "$process/cmdline" || kill -USR1 "$(basename "$process")"
  done`
  yield* onNode(node, script)
})

const built = Effect.fnUntraced(function* (at: At, packageName: string) {
  yield* apply(nixBuild(at, { packageName, nodes: [node] }))
  const build = yield* complete(at)
  assert.strictEqual(build.status?.status, "Succeeded")
  return build
})

const layoutsOf = Effect.fnUntraced(function* (name: string) {
  const { metadata } = yield* Effect.flatMap(find(namespaces, { namespace: "", name }), Effect.fromOption)
  const path = `/var/lib/enbi/${metadata.uid}/enbi/layouts`
  return (yield* onNode(node, `ls ${path}`)).trim().split("\n").toSorted()
})

describe("collection", () => {
  it.live("without locks it destroys a build that runs", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("collection-hazard")
      const first = yield* built({ namespace: ns, name: "first" }, "hello")
      const spec = buildPod(first, [])
      const builds = { namespace: ns, name: "builds" }
      const collects = { namespace: ns, name: "collects" }
      const build = ["build", "--no-link", "--print-build-logs"]
      yield* runPod(builds, { ...spec, containers: [nix(first, "builds", [...build, `${flakeUrl()}#slow`])] })
      yield* says(builds, "slow begins")
      yield* runPod(collects, {
        ...spec,
        // One that builds and ends takes away by what Nix knows that the first one builds.
        initContainers: [nix(first, "builds-and-ends", [...build, `${flakeUrl("images-2")}#two-layer`])],
        containers: [nix(first, "collects", ["store", "gc"])]
      })
      assert.strictEqual(yield* ended(collects), "Succeeded", yield* logsOf(collects))
      yield* goOn(builds)
      assert.strictEqual(
        yield* ended(builds),
        "Failed",
        "Nix has learnt to share a store between Pods: are locks needed?"
      )
      assert.match(yield* logsOf(builds), /not found|No such file|builder failed/)
    }).pipe(Effect.provide(services))
  )

  it.live("with locks it waits for builds that run, and says so", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("collection")
      const first = yield* built({ namespace: ns, name: "first" }, "hello")
      const second = yield* built({ namespace: ns, name: "second" }, "hello-gz")
      const slow = { namespace: ns, name: "slow" }
      yield* apply(nixBuild(slow, { packageName: "slow", nodes: [node] }))
      const { metadata } = yield* amongAll("the build Pod of slow", { kind: pods, namespace: ns }, (found) =>
        Option.fromNullishOr(found.find((pod) => pod.metadata.name.startsWith("slow-build")))
      )
      yield* says({ namespace: ns, name: metadata.name }, "slow begins")
      const running = yield* Effect.flatMap(find(nixBuilds, slow), Effect.fromOption)
      const collects = { namespace: ns, name: "collects" }
      yield* runPod(collects, buildPod(first, [first, second, running]))
      yield* says(collects, "waiting for running builds to finish before collecting the cache")
      assert.notInclude(yield* logsOf(collects), "collected the cache")
      yield* goOn({ namespace: ns, name: metadata.name })
      assert.strictEqual((yield* complete(slow)).status?.status, "Succeeded")
      assert.strictEqual(yield* ended(collects), "Failed")
      const log = yield* logsOf(collects)
      assert.match(
        log,
        /collected the cache: .+ freed, .+ left\nDiskFull: .+ \(limit 1 B\)\. Raise the setting CACHE_LIMIT/
      )
      assert.notInclude(log, "removing /nix/enbi/layouts", "every NixBuild is there")
    }).pipe(Effect.provide(services))
  )

  it.live("the layout of a NixBuild that is gone goes, and those of others stay", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("collection-gone")
      const stays = yield* built({ namespace: ns, name: "stays" }, "hello")
      const goes = yield* built({ namespace: ns, name: "goes" }, "two-layer")
      assert.sameMembers(yield* layoutsOf(ns), [stays.metadata.uid, goes.metadata.uid])
      yield* kubectl("delete", "nixbuild", "-n", ns, "goes")
      const collects = { namespace: ns, name: "collects" }
      yield* runPod(collects, buildPod(stays, [stays]))
      yield* ended(collects)
      assert.include(yield* logsOf(collects), `removing /nix/enbi/layouts/${goes.metadata.uid}\n`)
      assert.deepStrictEqual(yield* layoutsOf(ns), [stays.metadata.uid])
      // What a NixBuild that is there has built is there too.
      assert.strictEqual(
        (yield* built({ namespace: ns, name: "again" }, "hello")).status?.storePath,
        stays.status?.storePath
      )
    }).pipe(Effect.provide(services))
  )
})
