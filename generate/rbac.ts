/**
 * What the functions may do. Embedded, all of them run in one process under
 * one account, so it gets the sum of what each says it needs, and what their
 * watch cache needs; on its own each has an account for what it needs.
 */
import type { V1Role, V1RoleBinding, V1ServiceAccount } from "@kubernetes/client-node"
import { groupOf, type Kind } from "../lib/kubernetes/kind.ts"
import { manifest } from "../lib/kubernetes/manifest.ts"
import { type EnbiFunction, kindsOf, type Permission } from "../lib/runtime/function.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"

const group = "rbac.authorization.k8s.io"

interface Grant {
  /** Of the account, in the system namespace. */
  readonly account: string
  /** Of the Role and the ClusterRole. */
  readonly name: string
  readonly rules: ReadonlyArray<Rule>
}

export const makeRbac = (functions: ReadonlyArray<EnbiFunction<unknown>>) =>
  makeRoles({
    account: "enbi-functions",
    name: "enbi-functions",
    rules: [...functions.flatMap(rulesOf), ...kindsOf(functions).map((kind) => ruleOf(kind, ["list", "watch"]))]
  })

/** One rule of a Role. */
interface Rule {
  /** Only in this namespace; absent: in all. */
  readonly namespace: string | undefined
  readonly apiGroup: string
  readonly resource: string
  readonly verbs: ReadonlyArray<string>
}

const ruleOf = (kind: Kind, verbs: ReadonlyArray<string>, subresource?: string): Rule => ({
  namespace: kind.onlyNamespace,
  apiGroup: groupOf(kind),
  resource: subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`,
  verbs
})

/** What a function needs without a cache. */
export const rulesOf = ({ permissions }: Pick<EnbiFunction<unknown>, "permissions">): ReadonlyArray<Rule> =>
  permissions.map(({ kind, subresource, verbs }: Permission) => ruleOf(kind, verbs, subresource))

/** The account of one function or server, with what it may do. */
export const makeAccount = (definition: Pick<EnbiFunction<unknown>, "name" | "permissions">) => [
  manifest<V1ServiceAccount>()({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: definition.name, namespace: systemNamespace }
  }),
  ...makeRoles({ account: definition.name, name: `enbi-${definition.name}`, rules: rulesOf(definition) })
]

const makeRoles = ({ account, name, rules }: Grant) => {
  const subjects = [{ kind: "ServiceAccount", name: account, namespace: systemNamespace }]
  const namespaces = new Set(rules.map(({ namespace }) => namespace))
  return [...namespaces].toSorted().flatMap((namespace) => {
    const kind = namespace === undefined ? "ClusterRole" : "Role"
    const metadata = namespace === undefined ? { name } : { name, namespace }
    return [
      manifest<V1Role>()({
        apiVersion: `${group}/v1`,
        kind,
        metadata,
        rules: sum(rules.filter((rule) => rule.namespace === namespace))
      }),
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

const sum = (rules: ReadonlyArray<Rule>) => {
  const all = new Map<string, ReadonlySet<string>>()
  for (const { apiGroup, resource, verbs } of rules) {
    const key = `${apiGroup}/${resource}`
    all.set(key, new Set([...(all.get(key) ?? []), ...verbs]))
  }
  return [...all]
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
