/**
 * What the embedded functions may do: all of them run in one process under one
 * account, so it gets the sum of what each says it needs.
 */
import type { EnbiFunction, Permission } from "../function.ts"

const name = "enbi-functions"

export const makeRbac = (functions: ReadonlyArray<EnbiFunction<unknown>>) => [
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name },
    rules: sum(functions.flatMap(({ permissions }) => permissions))
  },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: "enbi-system" }]
  }
]

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
