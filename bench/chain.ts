/**
 * The requests by which a waiting Pod comes to a build Job, sent bare: one
 * after the other, each as large as the functions' own, from a Pod as theirs
 * is. What they create is of no interest to the functions: the NixBuild is of a
 * kind of its own, which has the schema of the true one, and the Job never
 * runs.
 */
import { type Cause, DateTime, Effect, FileSystem, Path, Queue, Schedule, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { parse } from "yaml"
import { makeBuildJob, makeBuildPod } from "../functions/job-launcher/build-job.ts"
import { type Kind, pathOf } from "../lib/kubernetes/kind.ts"
import { events, jobs, leases, pods } from "../lib/kubernetes/kinds.ts"
import { type NixBuild, nixBuilds } from "../lib/api/nixbuild.ts"
import { KubernetesApi } from "../lib/kubernetes/connection.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"
import type { SettingsValue } from "../lib/api/settings.ts"
import { CommandFailed } from "../tools/command.ts"
import {
  apply,
  isRunning,
  Kubeconfig,
  kubectl,
  list,
  patienceFlag,
  pod,
  readKubeconfig
} from "../test/cluster/kubectl.ts"
import { node } from "./cluster.ts"
import { settingsWith } from "./settings.ts"

const group = "bench.enbi.hrzn.ee"
const bareBuilds: Kind = {
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
  yield* Effect.retry(
    api.list(pathOf(bareBuilds), {}, () => undefined),
    Schedule.spaced("1 second")
  )
})

const strict = "fieldValidation=Strict&fieldManager=bench"

/** What is sent, with what is in a NixBuild that is there, under another name; the last is the Job's creation. */
const requestsFor = (build: NixBuild, name: string, settings: SettingsValue, liveTime: string) => {
  const { namespace } = build.metadata
  const create = (kind: Kind, object: object, more = "") => ({
    method: "POST",
    path: `${pathOf(kind, { namespace })}?${strict}${more}`,
    body: { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { namespace, name }, ...object }
  })
  const place = { build, node, settings, liveFilter: "", liveTime }
  const one = pathOf(bareBuilds, { namespace, name })
  return [
    create(bareBuilds, { spec: build.spec }),
    // What the Pod is told.
    create(events, {
      type: "Normal",
      reason: "ImageBuilding",
      message: `NixBuild ${build.metadata.name} builds the image of this Pod.`,
      involvedObject: { kind: "Pod", namespace, name }
    }),
    create(leases, { spec: { holderIdentity: `${namespace}/${build.metadata.uid}` } }),
    {
      method: "PATCH",
      path: `${one}/status?${strict}`,
      type: "application/merge-patch+json",
      body: { status: build.status }
    },
    create(pods, { spec: makeBuildPod(place).spec }, "&dryRun=All"),
    { method: "GET", path: one },
    create(jobs, { spec: { ...makeBuildJob(place).spec, suspend: true } })
  ]
}

/** Beside the functions, with as much of a processor: a Pod whose program takes lines. */
const startSender = Effect.fnUntraced(function* (namespace: string, image: string) {
  const files = yield* FileSystem.FileSystem
  const [functions] = yield* list(pods, systemNamespace, "-l", "app.kubernetes.io/name=enbi-functions")
  const container = { image, command: ["busybox", "sleep", "1000000"], resources: { requests: { cpu: "50m" } } }
  const at = { namespace, name: "sender" }
  yield* apply(pod(at, { container, nodeName: functions?.spec.nodeName ?? node }))
  yield* isRunning(at)
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const lines = yield* Queue.unbounded<string>()
  const program = yield* files.readFileString("bench/chain-sender.cjs")
  const args = ["exec", "-i", "-n", namespace, at.name, "--", "node", "-e", program]
  const sender = yield* spawner.spawn(
    ChildProcess.make("kubectl", args, {
      env: { KUBECONFIG: yield* Kubeconfig },
      extendEnv: true,
      stderr: "inherit",
      stdin: Stream.fromQueue(lines).pipe(Stream.encodeText)
    })
  )
  const answers = yield* Queue.unbounded<number, Cause.Done>()
  yield* sender.stdout.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => Queue.offer(answers, Number(line))),
    Effect.ensuring(Queue.end(answers)),
    Effect.forkScoped
  )
  const tell = (value: unknown) => Queue.offer(lines, `${JSON.stringify(value)}\n`)
  yield* tell((yield* readKubeconfig).identity)
  return (requests: unknown) =>
    Effect.andThen(tell(requests), Queue.take(answers)).pipe(
      Effect.mapError(() => new CommandFailed({ message: "The Pod that sends requests came to an end." }))
    )
})

/** Gives how many milliseconds they take, for one NixBuild after the other. */
export const makeChain = Effect.fnUntraced(function* (namespace: string, builderImage: string) {
  yield* defineKind
  const settings = yield* settingsWith(builderImage)
  const liveTime = DateTime.formatIso(yield* DateTime.now)
  const send = yield* startSender(namespace, builderImage)
  return (build: NixBuild, name: string) => send(requestsFor(build, name, settings, liveTime))
})
