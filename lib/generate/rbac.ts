/**
 * What the functions may do. Embedded, all of them run in one process under
 * one account, so it gets the sum of what each says it needs, and what their
 * watch cache needs; on its own each has an account for what it needs.
 */
import type { V1Role, V1RoleBinding, V1ServiceAccount } from "@kubernetes/client-node"
import { manifest } from "../api/manifest.ts"
import type { Kind } from "../api/kind.ts"
import { kinds } from "../api/kinds.ts"
import type { EnbiFunction, Permission } from "../function.ts"
import { systemNamespace } from "../names.ts"

const group = "rbac.authorization.k8s.io"

interface Grant {
  /** Of the account, in the system namespace. */
  readonly account: string
  /** Of the Role and the ClusterRole. */
  readonly name: string
  readonly permissions: ReadonlyArray<Permission>
}

export const makeRbac = (functions: ReadonlyArray<EnbiFunction<unknown>>) =>
  makeRoles({
    account: "enbi-functions",
    name: "enbi-functions",
    permissions: [...functions.flatMap(({ permissions }) => permissions), ...cached]
  })

/** The cache lists and follows every kind that any function looks at. */
const cached = Object.values(kinds).map(({ apiVersion, onlyNamespace, plural }: Kind): Permission => ({
  ...(onlyNamespace === undefined ? {} : { namespace: onlyNamespace }),
  apiGroups: [apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : ""],
  resources: [plural],
  verbs: ["list", "watch"]
}))

/** The account of one function, with what it may do. */
export const makeAccount = ({ name, permissions }: EnbiFunction<unknown>) => [
  manifest<V1ServiceAccount>()({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace: systemNamespace }
  }),
  ...makeRoles({ account: name, name: `enbi-${name}`, permissions })
]

const makeRoles = ({ account, name, permissions }: Grant) => {
  const subjects = [{ kind: "ServiceAccount", name: account, namespace: systemNamespace }]
  const namespaces = new Set(permissions.map(({ namespace }) => namespace))
  return [...namespaces].toSorted().flatMap((namespace) => {
    const rules = sum(permissions.filter((permission) => permission.namespace === namespace))
    const kind = namespace === undefined ? "ClusterRole" : "Role"
    const metadata = namespace === undefined ? { name } : { name, namespace }
    return [
      manifest<V1Role>()({ apiVersion: `${group}/v1`, kind, metadata, rules }),
      manifest<V1RoleBinding>()({
        apiVersion: `${group}/v1`,
        kind: `${kind}Binding`,
        metadata,
        roleRef: { apiGroup: group, kind, name },
        subjects
      })
    ]
  })
}

const sum = (permissions: ReadonlyArray<Permission>): ReadonlyArray<Omit<Permission, "namespace">> => {
  const verbs = new Map<string, ReadonlySet<string>>()
  for (const permission of permissions) {
    for (const apiGroup of permission.apiGroups) {
      for (const resource of permission.resources) {
        const key = `${apiGroup}/${resource}`
        verbs.set(key, new Set([...(verbs.get(key) ?? []), ...permission.verbs]))
      }
    }
  }
  return [...verbs]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, verbs]) => {
      const slash = key.indexOf("/")
      return {
        apiGroups: [key.slice(0, slash)],
        resources: [key.slice(slash + 1)],
        verbs: [...verbs].toSorted()
      }
    })
}
