/** Pods of several images, namespaces that have room for one NixBuild at a time, and what people change afterwards. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { conditionsOf, nixBuilds } from "../../lib/api/nixbuild.ts"
import { reasonTable } from "../../lib/api/reasons.ts"
import {
  annotations,
  apply,
  type At,
  conditionWith,
  eventually,
  find,
  isRunning,
  kubectl,
  list,
  makeNamespace,
  patienceFlag,
  pod,
  services,
  told,
  when
} from "./cluster.ts"

const node = "enbi-test-worker"

const tagFor = (at: At, name: string) => `registry.invalid/${at.namespace}/${name}:1`

/** An init container that ends at once, whose image the Pod's annotations name, before one that serves. */
const migrating = (at: At, own: Record<string, string>) => {
  const migrate = tagFor(at, "migrate")
  const object = pod(at, {
    annotations: { ...annotations({ imageTag: migrate, packageName: "hello" }), ...own },
    container: { image: tagFor(at, "web") },
    nodeName: node
  })
  const initContainers = [{ name: "migrate", image: migrate, command: ["/bin/busybox", "true"] }]
  return { ...object, spec: { ...object.spec, initContainers } }
}

const theBuild = ({ namespace }: At, imageTag: string) =>
  eventually(
    `the NixBuild of ${imageTag}`,
    Effect.map(list(nixBuilds, namespace), (builds) =>
      Option.fromNullishOr(builds.find(({ spec }) => spec.imageTag === imageTag))
    )
  )

it.live("two images, one container after the other: both are built, and the Pod runs", () =>
  Effect.gen(function* () {
    const at = { namespace: yield* makeNamespace("two-images"), name: "two" }
    yield* apply(migrating(at, { "app.enbi.hrzn.ee/nixbuild-packageName": "hello-stream" }))
    yield* isRunning(at)
    const { spec } = yield* theBuild(at, tagFor(at, "web"))
    assert.strictEqual(spec.packageName, "hello-stream")
    assert.lengthOf(yield* list(nixBuilds, at.namespace), 2)
  }).pipe(Effect.provide(services))
)

it.live(
  "a second image that no annotation names: an Event says what to annotate, and that works on the Pod itself",
  () =>
    Effect.gen(function* () {
      const at = { namespace: yield* makeNamespace("second-image"), name: "two" }
      yield* apply(migrating(at, {}))
      const { message, type } = yield* told("Pod", at, "AnnotationMissing")
      assert.strictEqual(type, "Warning")
      assert.include(message, `${tagFor(at, "web")}, the image of container app`)
      const [, key = ""] = /set the annotation (\S+) to its package/.exec(message) ?? []
      yield* kubectl("annotate", "pod", "-n", at.namespace, at.name, `${key}=hello-stream`)
      yield* isRunning(at)
    }).pipe(Effect.provide(services))
)

it.live("a quota of one NixBuild: the second Pod is told, and has its image when there is room", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("build-quota")
    const at = (name: string) => ({ namespace: ns, name })
    const asking = (name: string) =>
      pod(at(name), {
        annotations: annotations({ imageTag: tagFor(at(name), name), packageName: "hello" }),
        container: { image: tagFor(at(name), name) },
        nodeName: node
      })
    const counted = "count/nixbuilds.enbi.hrzn.ee"
    yield* apply({
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: at("one-at-a-time"),
      spec: { hard: { [counted]: "1" } }
    })
    const jsonPath = `{.status.hard.${counted.replaceAll(".", "\\.")}}`
    yield* kubectl("wait", "-n", ns, "resourcequota/one-at-a-time", `--for=jsonpath=${jsonPath}=1`, patienceFlag)
    yield* apply(asking("first"))
    yield* isRunning(at("first"))
    yield* apply(asking("second"))
    assert.include((yield* told("Pod", at("second"), "NixBuildRefused")).message, "exceeded quota: one-at-a-time")
    yield* kubectl("delete", "nixbuild", "-n", ns, "--all")
    yield* isRunning(at("second"))
  }).pipe(Effect.provide(services))
)

/** A Pod that obeys the Restricted level, in a namespace that enforces it. */
const restricted = Effect.fnUntraced(function* (name: string) {
  const at = {
    namespace: yield* makeNamespace(name, { "pod-security.kubernetes.io/enforce": "restricted" }),
    name: "web"
  }
  const tag = tagFor(at, "web")
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
  const object = pod(at, {
    annotations: annotations({ imageTag: tag, packageName: "hello" }),
    container: { image: tag, securityContext },
    nodeName: node
  })
  const podSecurity = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } }
  yield* apply({ ...object, spec: { ...object.spec, securityContext: podSecurity } })
  const { metadata } = yield* theBuild(at, tag)
  const build = { namespace: at.namespace, name: metadata.name }
  yield* conditionWith(build, "PodSecurityDenied")
  return { at, build }
})

it.live("PodSecurityDenied: the runbook's command is enough for the Pod to run", () =>
  Effect.gen(function* () {
    const { at, build } = yield* restricted("runbook")
    const [, patch = ""] = /`kubectl (patch [^`]+)`/.exec(reasonTable.PodSecurityDenied.look) ?? []
    const words = patch.replace("NAME", build.name).replaceAll("'", "").split(" ")
    yield* kubectl(...words, "-n", build.namespace)
    yield* isRunning(at)
    yield* told("Pod", at, "NixBuildChanged")
  }).pipe(Effect.provide(services))
)

it.live("PodSecurityDenied: an annotation on the Pod that waits is enough, too", () =>
  Effect.gen(function* () {
    const { at, build } = yield* restricted("by-annotation")
    yield* kubectl("annotate", "pod", "-n", at.namespace, at.name, "enbi.hrzn.ee/nixbuild-sandbox=false")
    yield* isRunning(at)
    assert.isFalse(conditionsOf(yield* Effect.flatMap(find(nixBuilds, build), Effect.fromOption)).some(isComplete))
    // With every sweep it would be asked whether its Pod is admitted by now, and other tests count requests.
    yield* kubectl("delete", "nixbuild", "-n", build.namespace, build.name)
  }).pipe(Effect.provide(services))
)

const isComplete = ({ status, type }: { readonly status: string; readonly type: string }): boolean =>
  type === "Complete" && status === "True"

it.live("a person who deletes a NixBuild has a minute and a half to create another under its name", () =>
  Effect.gen(function* () {
    const { at, build } = yield* restricted("made-anew")
    const { metadata, spec } = yield* Effect.flatMap(find(nixBuilds, build), Effect.fromOption)
    yield* kubectl("delete", "nixbuild", "-n", build.namespace, build.name)
    const { message } = yield* told("Pod", at, "NixBuildDeleted")
    const [, text = ""] = /created again after (\S+),/.exec(message) ?? []
    // A sweep and a half.
    yield* Effect.sleep("45 seconds")
    assert.isTrue(Option.isNone(yield* find(nixBuilds, build)))
    assert.isAbove(Date.parse(text), Date.parse(metadata.creationTimestamp ?? "") + 80_000)
    yield* apply({
      apiVersion: "enbi.hrzn.ee/v1alpha1",
      kind: "NixBuild",
      metadata: build,
      spec: { ...spec, sandbox: false }
    })
    yield* eventually(
      "its build",
      Effect.map(find(nixBuilds, build), (found) =>
        when(
          true,
          Option.exists(found, (changed) => !changed.spec.sandbox)
        )
      )
    )
    yield* isRunning(at)
  }).pipe(Effect.provide(services))
)
