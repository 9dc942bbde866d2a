/**
 * What the embedded functions may do: all of them run in one process under one
 * account, so it gets the sum of what each says it needs.
 */
import type { EnbiFunction, Permission } from "../function.ts"
import { systemNamespace } from "../names.ts"

const name = "enbi-functions"
const group = "rbac.authorization.k8s.io"
const subjects = [{ kind: "ServiceAccount", name, namespace: systemNamespace }]

export const makeRbac = (functions: ReadonlyArray<EnbiFunction<unknown>>) => {
  const permissions = functions.flatMap(({ permissions }) => permissions)
  const namespaces = new Set(permissions.map(({ namespace }) => namespace))
  return [...namespaces].toSorted().flatMap((namespace) => {
    const rules = sum(permissions.filter((permission) => permission.namespace === namespace))
    const kind = namespace === undefined ? "ClusterRole" : "Role"
    const metadata = namespace === undefined ? { name } : { name, namespace }
    return [
      { apiVersion: `${group}/v1`, kind, metadata, rules },
      {
        apiVersion: `${group}/v1`,
        kind: `${kind}Binding`,
        metadata,
        roleRef: { apiGroup: group, kind, name },
        subjects
      }
    ]
  })
}

const sum = (permissions: ReadonlyArray<Permission>): ReadonlyArray<Permission> => {
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
