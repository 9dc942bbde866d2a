/** Builds that mean harm: each its reason, and containerd on the node as it was. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option, Schema } from "effect"
import { Tar } from "effect/encoding"
import { randomUUID } from "node:crypto"
import { gzipSync } from "node:zlib"
import { makeImportJob } from "../../functions/importer/import-job.ts"
import { output } from "../../tools/command.ts"
import { jobs, namespaces, nodes, pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { hostPaths } from "../../lib/nixbuild/job-contract.ts"
import { ImportResult } from "../../lib/nixbuild/job-result.ts"
import { layerMediaType } from "../../lib/oci/compression.ts"
import { collect, digestOf } from "../oci/archives.ts"
import { plant, type Planted } from "../oci/plant.ts"
import {
  amongAll,
  apply,
  builderImage,
  complete,
  ctr,
  find,
  makeNamespace,
  nixBuild,
  onNode,
  remove,
  services
} from "./cluster.ts"
import { workers } from "./nodes.ts"

const [, node = ""] = workers

/**
 * Every name that containerd has on the node, with its digest, but for the tags that other tests build meanwhile, and
 * CRI's own names, which are digests of what has a tag.
 */
const refsOf = (namespace: string) =>
  Effect.map(ctr(node, "images", "ls"), (text) =>
    Object.fromEntries(
      text
        .split("\n")
        .slice(1)
        .filter((line) => line !== "")
        .map((line): readonly [string, string] => [
          line.split(/\s+/)[0] ?? "",
          /sha256:[0-9a-f]{64}(?=\s+[0-9.]+ [KMG]?i?B)/.exec(line)?.[0] ?? line
        ])
        .filter(
          ([name]) =>
            name.startsWith(`registry.invalid/${namespace}/`) ||
            !/^(registry.invalid\/|127.0.0.1:5080\/|sha256:)/.test(name)
        )
    )
  )

const refused: ReadonlyArray<readonly [packageName: string, reason: string, message: RegExp]> = [
  ["device-node", "ForbiddenContent", /dev\/mem is a character device/],
  ["setuid", "ForbiddenContent", /bin\/su is a setuid/],
  ["climbing", "ForbiddenContent", /leaves the image's root/],
  ["reserved-label", "ForbiddenContent", /containerd\.io\/restart\.loguri, which is reserved/],
  ["user-overflow", "ForbiddenContent", /the user "4294967296"/],
  ["open-folder", "ForbiddenContent", /working directory "\/proc\/self\/fd\/8"/],
  ["many-layers", "ImageTooLarge", /128 layers/],
  ["wrong-diff-id", "NotAnImage", /diff id/]
]

const good = collect([Tar.file("bin/app", randomUUID())])
const setuid = collect([Tar.file("bin/su", randomUUID(), { mode: 0o4755 })])
const withGood = (more: Omit<Planted, "layers">) => Effect.map(good, (bytes): Planted => ({ layers: [bytes], ...more }))

interface Tampered {
  readonly planted: Effect.Effect<Planted>
  /** Run on the node before the import; $LAYOUT is the layout's folder, $LAYER its first layer. */
  readonly script?: string
  readonly reason: string
  readonly message: RegExp
}

const tampered: Readonly<Record<string, Tampered>> = {
  "a setuid file": {
    planted: Effect.map(setuid, (bytes) => ({ layers: [bytes] })),
    reason: "ForbiddenContent",
    message: /bin\/su is a setuid/
  },
  "another diff id": {
    planted: Effect.map(good, (bytes) => ({
      layers: [gzipSync(bytes)],
      diffIds: [digestOf("")],
      mediaType: layerMediaType.gzip
    })),
    reason: "NotAnImage",
    message: /diff id/
  },
  "a reserved label": {
    planted: withGood({ config: { Labels: { "containerd.io/restart.loguri": "binary:///bin/sh" } } }),
    reason: "ForbiddenContent",
    message: /reserved/
  },
  "a reserved annotation": {
    planted: withGood({ manifest: { annotations: { "io.containerd.image.name": "docker.io/library/nginx:latest" } } }),
    reason: "ImportFailed",
    message: /not as the build wrote it/
  },
  "a link in place of a layer": {
    planted: withGood({}),
    script: 'ln -sf /etc/shadow "$LAYER"',
    reason: "ImportFailed",
    message: /SymbolicLink, not a file/
  },
  "other bytes in place of a layer": {
    planted: withGood({}),
    script: 'printf x | dd of="$LAYER" bs=1 seek=600 conv=notrunc',
    reason: "NotAnImage",
    message: /diff id/
  },
  "a link in place of index.json": {
    planted: withGood({}),
    script: 'ln -sf /etc/passwd "$LAYOUT/index.json"',
    reason: "ImportFailed",
    message: /SymbolicLink, not a file/
  },
  "another file's words in index.json": {
    planted: withGood({}),
    script: 'cp /etc/passwd "$LAYOUT/index.json"',
    reason: "ImportFailed",
    message: /^(?!.*root).*not as the build wrote it/
  },
  "a link in place of the layout": {
    planted: withGood({}),
    script: 'mv "$LAYOUT" "$LAYOUT-moved"; ln -s "$(basename "$LAYOUT")-moved" "$LAYOUT"',
    reason: "ImportFailed",
    message: /behind a symbolic link/
  }
}

/** A namespace whose cache volume on the node exists, because something was built there. */
const builtOnce = Effect.fnUntraced(function* (name: string) {
  const at = { namespace: yield* makeNamespace(name), name: "first" }
  yield* apply(nixBuild(at, { packageName: "foreign-tags", nodes: [node] }))
  assert.strictEqual((yield* complete(at)).status?.status, "Succeeded")
  const { metadata } = yield* Effect.flatMap(find(namespaces, { namespace: "", name }), Effect.fromOption)
  return { at, namespaceUid: metadata.uid }
})

/** Brings a layout of our making where the build would have left its own, and runs the import Job for it. */
const importPlanted = Effect.fnUntraced(function* (
  { at, namespaceUid }: Effect.Success<ReturnType<typeof builtOnce>>,
  { planted, script = "true" }: Pick<Tampered, "planted" | "script">
) {
  const fs = yield* FileSystem.FileSystem
  const local = yield* fs.makeTempDirectoryScoped()
  const { digest, layers } = yield* plant(local, yield* planted)
  const uid = randomUUID()
  const layout = `${hostPaths.volumes}/${namespaceUid}/enbi/layouts/${uid}`
  yield* onNode(node, `mkdir -p ${layout}`)
  yield* output({ command: "docker", args: ["cp", `${local}/.`, `${node}:${layout}`] })
  const layer = `${layout}/blobs/sha256/${layers[0]?.digest.slice("sha256:".length)}`
  yield* onNode(node, `LAYOUT=${layout} LAYER=${layer}; ${script}`)

  const build = yield* Effect.flatMap(find(nixBuilds, at), Effect.fromOption)
  const job = makeImportJob({
    build: { ...build, metadata: { ...build.metadata, uid } },
    namespaceUid,
    node: yield* Effect.flatMap(find(nodes, { namespace: "", name: node }), Effect.fromOption),
    builderImage
  })
  const { name } = job.metadata
  // Without labels and annotations: nobody else shall take it for the NixBuild's.
  const template = { ...job.spec.template, metadata: {} }
  yield* apply({ ...job, metadata: { name, namespace: systemNamespace }, spec: { ...job.spec, template } })
  const labelSelector = `batch.kubernetes.io/job-name=${name}`
  const itsPods = { kind: pods, namespace: systemNamespace, query: { labelSelector } }
  const message = yield* amongAll(`the end of ${name}`, itsPods, ([found]) =>
    Option.fromNullishOr(found?.status?.containerStatuses?.[0]?.state?.terminated?.message)
  )
  yield* remove(jobs, { namespace: systemNamespace, name })
  return { digest, uid, result: yield* Schema.decodeEffect(Schema.fromJsonString(ImportResult))(message) }
})

describe("hostile images", () => {
  for (const [packageName, reason, message] of refused) {
    it.live(`${packageName}: ${reason}`, () =>
      Effect.gen(function* () {
        const at = { namespace: yield* makeNamespace(`hostile-${packageName}`), name: "build" }
        const refs = refsOf(at.namespace)
        const before = yield* refs
        yield* apply(nixBuild(at, { packageName, nodes: [node] }))
        const { status } = yield* complete(at)
        assert.strictEqual(status?.failure?.reason, reason)
        assert.match(status?.failure?.message ?? "", message)
        assert.match(status?.failure?.log ?? "", /making /)
        assert.deepStrictEqual(yield* refs, before)
      }).pipe(Effect.provide(services))
    )
  }

  for (const packageName of ["foreign-tags", "no-tags"]) {
    it.live(`${packageName}: the image under the asked tag and no other`, () =>
      Effect.gen(function* () {
        const at = { namespace: yield* makeNamespace(`hostile-${packageName}`), name: "build" }
        const refs = refsOf(at.namespace)
        const before = yield* refs
        yield* apply(nixBuild(at, { packageName, nodes: [node] }))
        const { spec, status } = yield* complete(at)
        assert.strictEqual(status?.status, "Succeeded")
        assert.deepStrictEqual(yield* refs, { ...before, [spec.imageTag]: status?.imageDigest })
      }).pipe(Effect.provide(services))
    )
  }

  it.live("layouts that were changed after the build are refused by the import itself", () =>
    Effect.gen(function* () {
      const built = yield* builtOnce("hostile-planted")
      const refs = refsOf(built.at.namespace)
      const before = yield* refs
      for (const [what, { message, reason, ...row }] of Object.entries(tampered)) {
        const { result } = yield* importPlanted(built, row)
        if (result.outcome !== "Failed") return assert.fail(`${what} was imported`)
        assert.strictEqual(result.reason, reason, what)
        assert.match(result.message, message, what)
        assert.deepStrictEqual(yield* refs, before, what)
      }
      // The same way without a change: so it was the change that was refused.
      const { digest, result } = yield* importPlanted(built, { planted: withGood({}) })
      assert.strictEqual(result.outcome, "Succeeded")
      const imageTag = `registry.invalid/${built.at.namespace}/${built.at.name}:1`
      assert.strictEqual((yield* refs)[imageTag], digest)
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})
