/** What Kubernetes takes of accounts and roles; a role with a wildcard is refused. */
import { Schema } from "effect"
import { Metadata, Name } from "./common-schemas.ts"

const apiVersion = Schema.Literal("rbac.authorization.k8s.io/v1")

const Group = Schema.String.check(Schema.isPattern(/^([a-z0-9-]+(\.[a-z0-9-]+)*)?$/u))
const Resource = Schema.String.check(Schema.isPattern(/^[a-z]+(\/[a-z]+)?$/u))
const Verb = Schema.Literals(["get", "list", "watch", "create", "update", "patch", "delete", "use"])

const Rule = Schema.Struct({
  apiGroups: Schema.NonEmptyArray(Group),
  resources: Schema.NonEmptyArray(Resource),
  verbs: Schema.NonEmptyArray(Verb),
  resourceNames: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString))
})

const Account = Schema.Struct({ kind: Schema.Literal("ServiceAccount"), name: Name, namespace: Name })
const Accounts = Schema.Struct({
  apiGroup: Schema.Literal("rbac.authorization.k8s.io"),
  kind: Schema.Literal("Group"),
  name: Schema.Literal("system:serviceaccounts:enbi-system")
})

const role = <Kind extends "ClusterRole" | "Role">(kind: Kind) =>
  Schema.Struct({
    apiVersion,
    kind: Schema.Literal(kind),
    metadata: Metadata,
    rules: Schema.NonEmptyArray(Rule)
  })

const binding = <Kind extends "ClusterRole" | "Role">(kind: Kind) =>
  Schema.Struct({
    apiVersion,
    kind: Schema.Literal(`${kind}Binding`),
    metadata: Metadata,
    roleRef: Schema.Struct({
      apiGroup: Schema.Literal("rbac.authorization.k8s.io"),
      kind: Schema.Literal(kind),
      name: Name
    }),
    subjects: Schema.Tuple([Schema.Union([Account, Accounts])])
  })

export const ClusterRole = role("ClusterRole")
export const Role = role("Role")
export const ClusterRoleBinding = binding("ClusterRole")
export const RoleBinding = binding("Role")

export const ServiceAccount = Schema.Struct({
  apiVersion: Schema.Literal("v1"),
  kind: Schema.Literal("ServiceAccount"),
  metadata: Metadata,
  automountServiceAccountToken: Schema.optionalKey(Schema.Literal(false))
})
