/** What can be wrong with Broker, sources and Triggers together. */
import { heardBy } from "../../lib/runtime/function.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { sweepType } from "../../lib/runtime/events.ts"
import { type Manifest, of } from "./manifest.ts"
import { functions } from "./alone.ts"
import { tell } from "./tell.ts"

type All = ReadonlyArray<Manifest>

interface Ref {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
}

export const eventProblems = (all: All): ReadonlyArray<string> => {
  const objects = new Set(all.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`))
  const isThere = ({ apiVersion, kind, name }: Ref): boolean => objects.has(`${apiVersion} ${kind} ${name}`)
  return [
    ...of("Broker", all).flatMap(brokerProblems),
    ...of("Trigger", all).flatMap((trigger) => triggerProblems(trigger, isThere)),
    ...of("ApiServerSource", all).flatMap((source) => sourceProblems(source, all)),
    ...of("PingSource", all).flatMap(sweepProblems),
    ...[...of("ApiServerSource", all), ...of("PingSource", all)].flatMap(({ metadata, spec: { sink } }) =>
      tell(metadata.name, { "sends to no Broker of ours": sink.ref.kind !== "Broker" || !isThere(sink.ref) })
    ),
    ...coverProblems(all)
  ]
}

const brokerProblems = ({ metadata }: Manifest<"Broker">) =>
  tell(`Broker ${metadata.name}`, {
    "lets one slow function hold the events of a kind":
      metadata.annotations?.["messaging.knative.dev/async-handler"] !== "true"
  })

// Every event has them. `source` differs between clusters, `subject` between sources, `id` and `time` always.
const portable = new Set(["kind", "type"])

const triggerProblems = ({ metadata, spec }: Manifest<"Trigger">, isThere: (ref: Ref) => boolean) => {
  const { broker, delivery = {}, filter, subscriber } = spec
  const attributes = Object.entries(filter?.attributes ?? {})
  return tell(`Trigger ${metadata.name}`, {
    "belongs to no Broker of ours": !isThere({ apiVersion: "eventing.knative.dev/v1", kind: "Broker", name: broker }),
    "takes every event": attributes.length === 0,
    "asks for an attribute that not all events have, or not alike": attributes.some(([key]) => !portable.has(key)),
    "asks for an empty value, which Brokers read differently": attributes.some(([, value]) => value === ""),
    "goes to nobody": !isThere(subscriber.ref),
    "is not tried three times more": delivery.retry !== 3,
    "is not tried again after 0.2, 0.4 and 0.8 s":
      delivery.backoffPolicy !== "exponential" || delivery.backoffDelay !== "PT0.2S",
    // The functions give up a request to the API server after 20 s, Serving gives up a function after 60 s.
    "waits too long or not long enough": delivery.timeout !== "PT30S",
    "loses in silence what nobody takes": delivery.deadLetterSink === undefined || !isThere(delivery.deadLetterSink.ref)
  })
}

const sweepProblems = ({ metadata, spec }: Manifest<"PingSource">) =>
  tell(`PingSource ${metadata.name}`, {
    "does not come every 30 s": spec.schedule !== "*/30 * * * * *",
    "has another content than the empty object": spec.contentType !== "application/json" || spec.data !== "{}"
  })

// By the whole of them a function sees that it need not look; of others it would bring what nobody wants.
const lookedAt = new Set(["Job", "Pod", "ResourceQuota"])

const sourceProblems = ({ metadata, spec }: Manifest<"ApiServerSource">, all: All) => {
  const { mode, namespaceSelector, resources, serviceAccountName = "default" } = spec
  const groups = new Set(resources.map(({ apiVersion }) => apiVersion))
  const about = `ApiServerSource ${metadata.name}`
  return [
    ...tell(about, {
      "brings more of its objects than a function looks at":
        mode !== "Reference" && resources.some(({ kind }) => !lookedAt.has(kind)),
      "is silent about other kinds while our CRD is not there": groups.size > 1 && groups.has(nixBuilds.apiVersion)
    }),
    ...resources.flatMap(({ apiVersion, kind, selector }) => {
      const known = heardBy(functions).find((heard) => heard.kind === kind)
      if (known?.apiVersion !== apiVersion) return [`${about}: ${kind} is no kind of ours`]
      const { namespaced, onlyNamespace, plural, selector: wanted } = known
      const chosen = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
      const isOfOneNamespace = namespaced && namespaceSelector === undefined
      const resource = { group: apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "", plural }
      return tell(`${about}: ${kind}`, {
        "is watched of others than ours": wanted !== undefined && chosen.join() !== wanted,
        "is watched in other namespaces than where we look": isOfOneNamespace !== (onlyNamespace !== undefined),
        "may not be watched by the source's account": !mayWatch(all, {
          ...resource,
          account: serviceAccountName,
          isOfOneNamespace
        })
      })
    })
  ]
}

interface Access {
  readonly account: string
  readonly group: string
  readonly plural: string
  readonly isOfOneNamespace: boolean
}

const mayWatch = (all: All, { account, group, isOfOneNamespace, plural }: Access): boolean => {
  const bindings = [...of("ClusterRoleBinding", all), ...(isOfOneNamespace ? of("RoleBinding", all) : [])]
  const given = new Set(
    bindings
      .filter(({ subjects }) => subjects[0].name === account)
      .map(({ roleRef }) => `${roleRef.kind} ${roleRef.name}`)
  )
  const permitted = [...of("ClusterRole", all), ...of("Role", all)]
    .filter(({ kind, metadata }) => given.has(`${kind} ${metadata.name}`))
    .flatMap(({ rules }) => rules)
    .filter(({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(plural))
  return (["get", "list", "watch"] as const).every((verb) => permitted.some(({ verbs }) => verbs.includes(verb)))
}

/** What the Triggers wait for is what the sources tell of. */
const coverProblems = (all: All) => {
  const filters = of("Trigger", all).map(({ spec }) => spec.filter?.attributes ?? {})
  const wanted = new Set(filters.flatMap(({ kind }) => (kind === undefined ? [] : [kind])))
  const told = new Set(of("ApiServerSource", all).flatMap(({ spec }) => spec.resources.map(({ kind }) => kind)))
  const types = new Set(filters.flatMap(({ type }) => (type === undefined ? [] : [type])))
  return [
    ...[...wanted].filter((kind) => !told.has(kind)).map((kind) => `nobody tells of ${kind}`),
    ...[...told].filter((kind) => !wanted.has(kind)).map((kind) => `nobody listens to ${kind}`),
    ...[...types].filter((type) => type !== sweepType).map((type) => `nobody sends ${type}`),
    ...tell("the sweep", { "does not come": types.has(sweepType) && of("PingSource", all).length !== 1 })
  ]
}
