/** What tests and measurements say to a cluster, by kubectl, so that they see what users see. */
import { Context, Effect, Option, Schedule, Schema } from "effect"
import type { Reason } from "../../lib/api/condition.ts"
import type { Kind } from "../../lib/api/kind.ts"
import { jobs, pods } from "../../lib/api/kubernetes.ts"
import { conditionsOf, nixBuilds, type NixBuild } from "../../lib/api/nixbuild.ts"
import { nixBuildAnnotation } from "../../lib/keys.ts"
import { systemNamespace } from "../../lib/names.ts"
import { apply as applyText, kubectl as kubectlWith } from "../../kind/deploy.ts"
import { CommandFailed, output } from "../../images/command.ts"

/** Path of the kubeconfig that leads to the cluster. */
export class Kubeconfig extends Context.Service<Kubeconfig, string>()("enbi/test/Kubeconfig") {}

export const kubectl = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  return yield* kubectlWith(yield* Kubeconfig, ...args)
})

export const apply = Effect.fnUntraced(function* (...objects: ReadonlyArray<object>) {
  return yield* applyText(yield* Kubeconfig, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }))
})

/** What kubectl says on stderr when it refuses; nothing when it does not. */
export const refusalOf = Effect.fnUntraced(function* (input: object, ...args: ReadonlyArray<string>) {
  return yield* output({
    command: "bash",
    args: ["-c", 'out=$(kubectl "$@" -f - 2>&1 >/dev/null) || printf %s "$out"', "kubectl", ...args],
    env: { KUBECONFIG: yield* Kubeconfig },
    input: JSON.stringify(input)
  })
})

/** What the API server would store, defaults included. */
export const dryRun = Effect.fnUntraced(function* <A>(kind: Kind<A>, input: object) {
  const args = ["create", "--dry-run=server", "-o", "json", "-f", "-"]
  const env = { KUBECONFIG: yield* Kubeconfig }
  return yield* decode(kind, yield* output({ command: "kubectl", args, env, input: JSON.stringify(input) }))
})

const decode = <A>(kind: Kind<A>, text: string) => Schema.decodeUnknownEffect(Schema.fromJsonString(kind.schema))(text)

export interface At {
  readonly namespace: string
  readonly name: string
}

export const find = <A>(kind: Kind<A>, { name, namespace }: At) =>
  kubectl("get", kind.plural, "-n", namespace, name, "-o", "json", "--ignore-not-found").pipe(
    Effect.flatMap((text) => (text === "" ? Effect.succeedNone : Effect.map(decode(kind, text), Option.some)))
  )

export const list = Effect.fnUntraced(function* <A>(kind: Kind<A>, namespace: string, ...args: ReadonlyArray<string>) {
  const text = yield* kubectl("get", kind.plural, "-n", namespace, "-o", "json", ...args)
  const { items } = yield* Schema.decodeUnknownEffect(
    Schema.fromJsonString(Schema.Struct({ items: Schema.Array(Schema.Unknown) }))
  )(text)
  return yield* Effect.forEach(items, (item) => Schema.decodeUnknownEffect(kind.schema)(item))
})

/** Looks until it finds something, at most `timeout`; says what it waited for if it never came. */
export const eventually = <A, E, R>(
  what: string,
  look: Effect.Effect<Option.Option<A>, E, R>,
  timeout: `${number} seconds` = "120 seconds"
) =>
  look.pipe(
    Effect.repeat({ until: Option.isSome, schedule: Schedule.spaced("300 millis") }),
    Effect.flatMap((found) => Effect.fromOption(found)),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(new CommandFailed({ message: `${what} did not happen within ${timeout}` }))
    })
  )

export const when = <A>(value: A, is: boolean): Option.Option<A> => (is ? Option.some(value) : Option.none())

/** Waits as a user would: returns after success and after failure. */
export const complete = Effect.fnUntraced(function* (at: At) {
  yield* kubectl("wait", "-n", at.namespace, `nixbuild/${at.name}`, "--for=condition=Complete", "--timeout=180s")
  return yield* Effect.flatMap(find(nixBuilds, at), Effect.fromOption)
})

/** The condition that says so, once there is one; `Ready` only repeats the others' reasons. */
export const conditionWith = (at: At, reason: Reason) =>
  eventually(
    `${reason} on NixBuild ${at.name}`,
    Effect.map(find(nixBuilds, at), (found) =>
      Option.flatMap(found, (build) =>
        Option.fromNullishOr(conditionsOf(build).find((one) => one.reason === reason && one.type !== "Ready"))
      )
    )
  )

export const isRunning = (at: At, timeout?: `${number} seconds`) =>
  eventually(
    `Pod ${at.name} runs`,
    Effect.map(find(pods, at), (found) =>
      Option.filter(found, (pod) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined)
    ),
    timeout
  )

/** A namespace of the test's own, without anything of an earlier run. */
export const namespace = Effect.fnUntraced(function* (name: string, labels: Record<string, string> = {}) {
  yield* kubectl("delete", "namespace", name, "--ignore-not-found", "--wait", "--timeout=120s")
  yield* apply({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "enbi.hrzn.ee/test": "", ...labels } }
  })
  // Pods are refused until the controller made this.
  yield* eventually(
    `the ServiceAccount of ${name}`,
    Effect.map(kubectl("get", "serviceaccount", "default", "-n", name, "--ignore-not-found"), (text) =>
      when(name, text !== "")
    )
  )
  return name
})

export const flakesUrl = "http://flakes.enbi-flakes.svc.cluster.local/"

export const flakeUrl = (flake = "images") => `${flakesUrl}${flake}.tar.gz`

export const nixBuild = (at: At, spec: Partial<NixBuild["spec"]>) => ({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  metadata: at,
  spec: {
    flakeUrl: flakeUrl(),
    imageTag: `registry.invalid/${at.namespace}/${at.name}:1`,
    packageName: "hello",
    system: "x86_64-linux",
    ...spec
  }
})

export const annotations = (spec: {
  readonly flakeUrl?: string
  readonly imageTag: string
  readonly packageName: string
}) => ({
  "enbi.hrzn.ee/nixbuild-flakeUrl": spec.flakeUrl ?? flakeUrl(),
  "enbi.hrzn.ee/nixbuild-imageTag": spec.imageTag,
  "enbi.hrzn.ee/nixbuild-packageName": spec.packageName
})

export const pod = (
  at: At,
  more: { readonly annotations?: Record<string, string>; readonly container: object; readonly nodeName?: string }
) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { ...at, annotations: more.annotations ?? {} },
  spec: {
    terminationGracePeriodSeconds: 1,
    ...(more.nodeName === undefined ? {} : { nodeName: more.nodeName }),
    containers: [{ name: "app", ...more.container }]
  }
})

/** Neither the namespace nor the system has a Job of this NixBuild any more. */
export const noJobs = ({ name, namespace }: At) =>
  eventually(
    `the Jobs of ${name} go`,
    Effect.gen(function* () {
      const all = [...(yield* list(jobs, namespace)), ...(yield* list(jobs, systemNamespace))]
      return when(
        true,
        all.every((job) => job.metadata.annotations?.[nixBuildAnnotation] !== `${namespace}/${name}`)
      )
    }),
    "30 seconds"
  )

/** A shell on the node. */
export const onNode = (node: string, script: string) =>
  output({ command: "docker", args: ["exec", node, "sh", "-euc", script] })

/** containerd's own word, on the node. */
export const ctr = (node: string, ...args: ReadonlyArray<string>) =>
  output({ command: "docker", args: ["exec", node, "ctr", "-n", "k8s.io", ...args] })

export interface Told {
  readonly type: string
  readonly reason: string
  readonly message: string
}

const Events = Schema.fromJsonString(
  Schema.Struct({
    items: Schema.Array(
      Schema.Struct({
        type: Schema.String,
        reason: Schema.String,
        message: Schema.String,
        count: Schema.optionalKey(Schema.Int),
        lastTimestamp: Schema.optionalKey(Schema.NullOr(Schema.String))
      })
    )
  })
)

/** The Events of one object, as `kubectl describe` shows them. */
export const eventsOf = Effect.fnUntraced(function* (kind: string, { name, namespace }: At) {
  const text = yield* kubectl(
    "get",
    "events",
    "-n",
    namespace,
    "--field-selector",
    `involvedObject.kind=${kind},involvedObject.name=${name}`,
    "-o",
    "json"
  )
  return (yield* Schema.decodeUnknownEffect(Events)(text)).items
})

export const told = (kind: string, at: At, reason: string) =>
  eventually(
    `Event ${reason} on ${kind} ${at.name}`,
    Effect.map(eventsOf(kind, at), (events) => Option.fromNullishOr(events.find((event) => event.reason === reason)))
  )
