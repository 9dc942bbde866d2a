/** Kubernetes' NetworkPolicy: which Pods one selects, and whether it says what they may reach. */
import { Schema } from "effect"
import { defineKind, ObjectMeta } from "./kind.ts"

const optional = Schema.optionalKey
const Words = Schema.Array(Schema.String)

const LabelSelector = Schema.Struct({
  matchLabels: optional(Schema.Record(Schema.String, Schema.String)),
  matchExpressions: optional(
    Schema.Array(
      Schema.Struct({
        key: Schema.String,
        operator: Schema.Literals(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: optional(Words)
      })
    )
  )
})

export const NetworkPolicy = Schema.Struct({
  metadata: ObjectMeta,
  spec: Schema.Struct({
    /** Absent or empty: all Pods of the namespace. */
    podSelector: optional(LabelSelector),
    policyTypes: optional(Words),
    egress: optional(Schema.Array(Schema.Unknown))
  })
})
export type NetworkPolicy = typeof NetworkPolicy.Type
export const networkPolicies = defineKind<NetworkPolicy>({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  namespaced: true,
  schema: NetworkPolicy
})

type Labels = Readonly<Record<string, string>>

/** Whether a Pod with these labels may reach only what such policies allow. */
export const holdsEgress = ({ spec }: NetworkPolicy, labels: Labels): boolean =>
  // Without types a policy is about egress if it has rules for it (the API's `policyTypes`).
  (spec.policyTypes?.includes("Egress") ?? (spec.egress ?? []).length > 0) && selects(spec.podSelector ?? {}, labels)

const selects = ({ matchExpressions = [], matchLabels = {} }: typeof LabelSelector.Type, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key]
    switch (operator) {
      case "Exists":
        return value !== undefined
      case "DoesNotExist":
        return value === undefined
      case "In":
        return value !== undefined && values.includes(value)
      case "NotIn":
        return value === undefined || !values.includes(value)
    }
  })
