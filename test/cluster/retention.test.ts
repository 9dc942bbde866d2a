/** What is left of NixBuilds and namespaces that are deleted: nothing, in the cluster and on its nodes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { jobs, leases, nodes, persistentVolumes, pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { reportOf } from "../../functions/retention/tags/decide.ts"
import { nixBuildAnnotation, retryAnnotation, unusedSinceAnnotation } from "../../lib/api/annotations.ts"
import { persistentVolumeName, tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { hostPaths } from "../../lib/nixbuild/job-contract.ts"
import {
  amongAll,
  apply,
  type At,
  becomes,
  complete,
  ctr,
  eventually,
  find,
  gone,
  flakeUrl,
  kubectl,
  makeNamespace,
  nixBuild,
  noJobs,
  onNode,
  patienceFlag,
  services,
  when
} from "./cluster.ts"

const node = "enbi-test-worker2"

const uidOf = (namespace: string) => kubectl("get", "namespace", namespace, "-o", "jsonpath={.metadata.uid}")

/** The Pod of a NixBuild's Job, once its container runs. */
const running = (inNamespace: string, build: At) =>
  amongAll(`a Pod of ${build.name} runs in ${inNamespace}`, { kind: pods, namespace: inNamespace }, (all) =>
    Option.fromNullishOr(
      all.find(
        ({ metadata, status }) =>
          metadata.annotations?.[nixBuildAnnotation] === `${build.namespace}/${build.name}` &&
          status?.containerStatuses?.[0]?.state?.running !== undefined
      )
    )
  )

/** The node's processes in the cgroups of a Pod, whose names have the uid in them, by systemd's way with other dashes. */
const processesOf = (uid: string) =>
  Effect.map(onNode(node, `grep -lsE '${uid}|${uid.replaceAll("-", "_")}' /proc/[0-9]*/cgroup || true`), (text) =>
    text.split("\n").filter((line) => line !== "")
  )

const noProcesses = (uid: string) =>
  eventually(
    "its processes end",
    Effect.map(processesOf(uid), (processes) => when(true, processes.length === 0))
  )

const halfLayouts = (namespaceUid: string) =>
  onNode(node, `ls -A ${hostPaths.volumes}/${namespaceUid}/enbi/layouts | grep incoming || true`)

describe("retention", () => {
  it.live("a NixBuild is deleted while it builds: no Job, no process, no image and no part of one is left", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("cancel-build"), name: "hang" }
      const build = nixBuild(at, { packageName: "hang", nodes: [node] })
      yield* apply(build)
      const { metadata } = yield* running(at.namespace, at)
      assert.isNotEmpty(yield* processesOf(metadata.uid), "the processes of the build are seen on the node")
      yield* kubectl("delete", "nixbuild", "-n", at.namespace, at.name)
      yield* noJobs(at)
      yield* noProcesses(metadata.uid)
      assert.strictEqual(yield* ctr(node, "images", "ls", "-q", `name==${build.spec.imageTag}`), "")
      assert.strictEqual(yield* halfLayouts(yield* uidOf(at.namespace)), "")
    }).pipe(Effect.provide(services))
  )

  it.live(
    "a NixBuild is deleted while it imports: no Job and no process is left, and containerd has all or nothing",
    () =>
      Effect.gen(function* () {
        const at = { namespace: yield* makeNamespace("cancel-import"), name: "big" }
        const build = nixBuild(at, { packageName: "big", nodes: [node] })
        yield* apply(build)
        yield* amongAll("the import Job", { kind: jobs, namespace: systemNamespace }, (all) =>
          Option.fromNullishOr(
            all.find(({ metadata }) => metadata.annotations?.[nixBuildAnnotation] === `${at.namespace}/${at.name}`)
          )
        )
        yield* kubectl("delete", "nixbuild", "-n", at.namespace, at.name)
        yield* noJobs(at)
        yield* amongAll("its Pods go", { kind: pods, namespace: systemNamespace }, (all) =>
          when(
            true,
            all.every(({ metadata }) => metadata.annotations?.[nixBuildAnnotation] !== `${at.namespace}/${at.name}`)
          )
        )
        // It may have been done in the moment before.
        const found = yield* ctr(node, "images", "check", `name==${build.spec.imageTag}`)
        assert.isTrue(!found.includes(build.spec.imageTag) || / complete /.test(found), found)
        assert.strictEqual(yield* halfLayouts(yield* uidOf(at.namespace)), "")
      }).pipe(Effect.provide(services))
  )

  it.live("a namespace is deleted: its volume goes, and its directory on the node", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("gone-tomorrow"), name: "hello" }
      yield* apply(nixBuild(at, { nodes: [node] }))
      yield* complete(at)
      const uid = yield* uidOf(at.namespace)
      const isThere = Effect.map(
        onNode(node, `if [ -e ${hostPaths.volumes}/${uid} ]; then echo there; fi`),
        (text) => text !== ""
      )
      const volume = { namespace: "", name: persistentVolumeName(uid, node) }
      assert.isTrue(yield* isThere)
      assert.isTrue(Option.isSome(yield* find(persistentVolumes, volume)))
      yield* kubectl("delete", "namespace", at.namespace, "--wait", patienceFlag)
      yield* gone(persistentVolumes, volume)
      assert.isFalse(yield* isThere, "the directory went before it")
    }).pipe(Effect.provide(services))
  )

  it.live(
    "a NixBuild is deleted but its image is on a node: the tag stays its namespace's, until somebody frees it",
    () =>
      Effect.gen(function* () {
        const imageTag = "registry.invalid/retention/shared:1"
        yield* kubectl("delete", "lease", "-n", systemNamespace, tagLeaseName(imageTag), "--ignore-not-found")
        const first = { namespace: yield* makeNamespace("tag-first"), name: "app" }
        yield* apply(nixBuild(first, { imageTag, nodes: [node] }))
        yield* complete(first)
        yield* kubectl("delete", "nixbuild", "-n", first.namespace, first.name)
        const reporting = yield* becomes(
          "kubelet reports the image, or that there are more than it reports",
          nodes,
          { namespace: "", name: node },
          Option.filter((found) => {
            const { isCut, names } = reportOf(found)
            return isCut || names.has(imageTag)
          })
        )
        const lease = { namespace: systemNamespace, name: tagLeaseName(imageTag) }
        yield* becomes(
          "the Lease counts as used, or waits for days",
          leases,
          lease,
          Option.filter(
            ({ metadata }) =>
              !reportOf(reporting).names.has(imageTag) || metadata.annotations?.[unusedSinceAnnotation] === undefined
          )
        )
        const second = { namespace: yield* makeNamespace("tag-second"), name: "app" }
        yield* apply(nixBuild(second, { imageTag, flakeUrl: flakeUrl("images-2"), nodes: [node] }))
        const { failure } = (yield* complete(second)).status ?? {}
        assert.strictEqual(failure?.reason, "TagConflict")
        const advice = /kubectl (delete lease -n \S+ \S+)$/.exec(failure?.message ?? "")?.[1] ?? ""
        assert.include(advice, lease.name)
        yield* kubectl(...advice.split(" "))
        yield* kubectl("annotate", "nixbuild", "-n", second.namespace, second.name, `${retryAnnotation}=1`)
        yield* eventually(
          "the second has the tag",
          Effect.map(find(nixBuilds, second), (found) =>
            Option.filter(found, ({ status }) => status?.status === "Succeeded")
          )
        )
      }).pipe(Effect.provide(services))
  )

  it.live("a NixBuild that says when is deleted then, and its image stays", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("short-lived"), name: "hello" }
      const build = nixBuild(at, { nodes: [node], ttlSecondsAfterFinished: 0 })
      yield* apply(build)
      yield* gone(nixBuilds, at)
      assert.include(yield* ctr(node, "images", "ls", "-q"), build.spec.imageTag)
    }).pipe(Effect.provide(services))
  )
})
