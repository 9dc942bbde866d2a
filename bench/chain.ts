/**
 * The requests by which a waiting Pod comes to a build Job, sent bare: one
 * after the other, each as large as the functions' own. What they create is of
 * no interest to the functions: the NixBuild is of a kind of its own, which has
 * the schema of the true one, and the Job never runs.
 */
import { DateTime, Effect, FileSystem, Path, Schedule, Schema } from "effect"
import { parse } from "yaml"
import { makeBuildJob, makeBuildPod } from "../functions/job-launcher/build-job.ts"
import { type Kind, ObjectMeta, pathOf } from "../lib/api/kind.ts"
import { jobs, leases, pods } from "../lib/api/kubernetes.ts"
import { type NixBuild, nixBuilds } from "../lib/api/nixbuild.ts"
import { KubernetesApi } from "../lib/kube/api.ts"
import type { Query } from "../lib/kube/requests.ts"
import { apply, kubectl, patienceFlag } from "../test/cluster/kubectl.ts"
import { node } from "./cluster.ts"
import { settingsWith } from "./settings.ts"

const group = "bench.enbi.hrzn.ee"
const bareBuilds: Kind<unknown> = {
  ...nixBuilds,
  apiVersion: `${group}/v1alpha1`,
  kind: "BareBuild",
  plural: "barebuilds"
}

const Definition = Schema.StructWithRest(Schema.Struct({ spec: Schema.Record(Schema.String, Schema.Unknown) }), [
  Schema.Record(Schema.String, Schema.Unknown)
])

/** Makes the kind known until the scope ends. */
const defineKind = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const text = yield* files.readFileString(yield* path.fromFileUrl(new URL("../crds/nixbuilds.yaml", import.meta.url)))
  const { spec, ...definition } = yield* Schema.decodeUnknownEffect(Definition)(parse(text))
  const { kind, plural } = bareBuilds
  const names = { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` }
  const name = `${plural}.${group}`
  yield* Effect.acquireRelease(apply({ ...definition, metadata: { name }, spec: { ...spec, group, names } }), () =>
    Effect.ignore(kubectl("delete", "customresourcedefinition", name, "--wait=false"))
  )
  yield* kubectl("wait", `customresourcedefinition/${name}`, "--for=condition=Established", patienceFlag)
  const api = yield* KubernetesApi
  yield* Effect.retry(api.list(pathOf(bareBuilds)), Schedule.spaced("1 second"))
})

const Stored = Schema.Struct({ metadata: ObjectMeta })
const strict = { fieldValidation: "Strict", fieldManager: "bench" }

/** Sends them all with what is in a NixBuild that is there, under another name; the last is the Job's creation. */
export const makeChain = Effect.fnUntraced(function* (builderImage: string) {
  yield* defineKind
  const { request } = yield* KubernetesApi
  const settings = yield* settingsWith(builderImage)
  const liveTime = DateTime.formatIso(yield* DateTime.now)
  return Effect.fnUntraced(function* (build: NixBuild, name: string) {
    const { namespace } = build.metadata
    const create = (kind: Kind<unknown>, object: object, more: Query = {}) =>
      request("POST", pathOf(kind, { namespace }), {
        query: { ...strict, ...more },
        body: {
          type: "application/json",
          value: { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { namespace, name }, ...object }
        }
      })
    const place = { build, node, settings, liveUids: [], liveTime }
    const one = pathOf(bareBuilds, { namespace, name })
    const created = yield* create(bareBuilds, { spec: build.spec })
    const { uid, resourceVersion } = (yield* Schema.decodeUnknownEffect(Stored)(created)).metadata
    yield* create(leases, { spec: { holderIdentity: `${namespace}/${uid}` } })
    yield* request("PATCH", `${one}/status`, {
      query: strict,
      body: {
        type: "application/merge-patch+json",
        value: { metadata: { uid, resourceVersion }, status: build.status }
      }
    })
    yield* create(pods, { spec: makeBuildPod(place).spec }, { dryRun: "All" })
    yield* request("GET", one)
    const { spec } = makeBuildJob(place)
    yield* create(jobs, { spec: { ...spec, suspend: true } })
  })
})
