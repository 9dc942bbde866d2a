/** The sources that report changes to Knative's Broker, and what their adapters may do. */
import type { V1Role, V1RoleBinding, V1ServiceAccount } from "@kubernetes/client-node"
import { groupOf, type Kind } from "../lib/kubernetes/kind.ts"
import { manifest } from "../lib/kubernetes/manifest.ts"
import { type EnbiFunction, heardBy } from "../lib/runtime/function.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"

type Functions = ReadonlyArray<Pick<EnbiFunction<unknown>, "on">>

interface Source {
  readonly name: string
  /** Reference names an object, Resource brings the whole of it. */
  readonly mode: "Reference" | "Resource"
  /** In all namespaces; otherwise only in that of the functions. */
  readonly isEverywhere: boolean
  readonly kinds: ReadonlyArray<Kind>
}

const account = "enbi-sources"

/** Instructions for readers of the sources and authors of patches. */
export const sourcesNotes = `
What tells the functions that something changed.

Mode Reference names an object, mode Resource brings the whole of it, which then stands in the Broker's queue.
The functions act by what they read themselves, so a reference is enough. Only of what others make in namespaces
they get the whole: nearly all events are of Pods that ask for nothing and of quotas that count no NixBuilds, and
by the object itself a function sees that without reading it. With a Broker that keeps events, and Pods with
secrets among their plain variables, take Reference there too; each event of a Pod then costs two reads.
No function looks at Secrets or ConfigMaps.

An adapter stops, for all of its kinds, while the group of one of them is missing, so each kind of ours has its
own source. Without a namespaceSelector only the source's own namespace is watched; with an empty one, all.
Changing a source restarts its adapter, which loses what happens in that second. The sweep finds it.

In big clusters the events of Pods can be narrowed by label (\`selector\`) or by namespace (\`namespaceSelector\`),
and those of Nodes left out, as ../examples/big-cluster/ does. The sweep finds that too, up to 30 s later.`

/**
 * An adapter stops, for all of its kinds, while the group of one of them is missing, so each kind of ours has its own.
 * Objects of others in namespaces come whole: a function ignores nearly all of them, which it decides by the object.
 */
const sourcesOf = (functions: Functions): ReadonlyArray<Source> => {
  // Overlays name resources by their place, so those of Kubernetes' core come first, as ever.
  const kinds = heardBy(functions).toSorted((a, b) => groupOf(a).localeCompare(groupOf(b)))
  const others = kinds.filter(({ custom }) => custom === undefined)
  const isEverywhere = ({ namespaced, onlyNamespace }: Kind) => namespaced && onlyNamespace === undefined
  const all: ReadonlyArray<Source> = [
    ...kinds
      .filter(({ custom }) => custom !== undefined)
      .map((kind): Source => ({ name: kind.plural, mode: "Reference", isEverywhere: true, kinds: [kind] })),
    { name: "workloads", mode: "Resource", isEverywhere: true, kinds: others.filter(isEverywhere) },
    { name: "cluster", mode: "Reference", isEverywhere: false, kinds: others.filter((kind) => !isEverywhere(kind)) }
  ]
  return all.filter((source) => source.kinds.length > 0)
}

const sink = { ref: { apiVersion: "eventing.knative.dev/v1", kind: "Broker", name: "enbi" } }

const resourceOf = ({ apiVersion, kind, selector }: Kind) => ({
  apiVersion,
  kind,
  ...(selector === undefined ? {} : { selector: { matchLabels: Object.fromEntries([selector.split("=")]) } })
})

export const makeSources = (functions: Functions) => [
  ...sourcesOf(functions).map(({ isEverywhere, kinds, mode, name }) => ({
    apiVersion: "sources.knative.dev/v1",
    kind: "ApiServerSource",
    metadata: { name: `enbi-${name}` },
    spec: {
      mode,
      serviceAccountName: account,
      // Empty: all namespaces, by one watch for each kind.
      ...(isEverywhere ? { namespaceSelector: {} } : {}),
      resources: kinds.map(resourceOf),
      sink
    }
  })),
  {
    apiVersion: "sources.knative.dev/v1",
    kind: "PingSource",
    metadata: { name: "enbi-sweep" },
    // With seconds; five fields would begin with the minutes.
    spec: { schedule: "*/30 * * * * *", contentType: "application/json", data: "{}", sink }
  }
]

// The controller asks for these three before a source is Ready.
const verbs = ["get", "list", "watch"]

/** The right to watch what the sources tell of. */
export const makeSourcesRbac = (functions: Functions) => {
  const sources = sourcesOf(functions)
  const within = heardBy(functions).filter(({ onlyNamespace }) => onlyNamespace !== undefined)
  const everywhere = sources.flatMap(({ kinds }) => kinds).filter((kind) => !within.includes(kind))
  const api = "rbac.authorization.k8s.io"
  const binding = (kind: "ClusterRole" | "Role") =>
    manifest<V1RoleBinding>()({
      apiVersion: `${api}/v1`,
      kind: `${kind}Binding`,
      metadata: { name: account },
      roleRef: { apiGroup: api, kind, name: account },
      subjects: [{ kind: "ServiceAccount", name: account, namespace: systemNamespace }]
    })
  const role = (kind: "ClusterRole" | "Role", kinds: ReadonlyArray<Kind>) =>
    manifest<V1Role>()({
      apiVersion: `${api}/v1`,
      kind,
      metadata: { name: account },
      rules: [...new Set(kinds.map(groupOf))].toSorted().map((group) => ({
        apiGroups: [group],
        resources: kinds
          .filter((one) => groupOf(one) === group)
          .map(({ plural }) => plural)
          .toSorted(),
        verbs
      }))
    })
  return [
    manifest<V1ServiceAccount>()({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account } }),
    role("ClusterRole", everywhere),
    binding("ClusterRole"),
    role("Role", within),
    binding("Role")
  ]
}
