/** The CustomResourceDefinition of a kind of ours, made of its Schema. */
import type { V1CustomResourceDefinition } from "@kubernetes/client-node"
import { type Column, groupOf, type Kind } from "../lib/kubernetes/kind.ts"
import { manifest } from "../lib/kubernetes/manifest.ts"
import { isJsonObject, structural } from "./structural.ts"

const columnOf = ({ isWide, ...column }: Column) => ({ ...column, ...(isWide === true ? { priority: 1 } : {}) })

/** None for a kind of Kubernetes. */
export const makeCrd = ({ apiVersion, custom, initialStatus, kind, plural, schema, selectableFields }: Kind) => {
  if (custom === undefined) return []
  const group = groupOf({ apiVersion })
  const { description, properties, required } = structural(schema)
  const { metadata: _, status, ...rest } = isJsonObject(properties) ? properties : {}
  const { columns, ...names } = custom
  const crd = manifest<V1CustomResourceDefinition>()({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, ...names, categories: ["nix"] },
      versions: [
        {
          name: apiVersion.slice(group.length + 1),
          served: true,
          storage: true,
          subresources: { status: {} },
          ...(selectableFields === undefined
            ? {}
            : { selectableFields: selectableFields.map((field) => ({ jsonPath: `.${field}` })) }),
          additionalPrinterColumns: columns.map(columnOf)
        }
      ]
    }
  })
  // Of what `structural` writes TypeScript knows no field.
  const openAPIV3Schema = {
    type: "object",
    ...(description === undefined ? {} : { description }),
    required: (Array.isArray(required) ? required : []).filter((name) => name !== "metadata"),
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      ...rest,
      ...(isJsonObject(status)
        ? { status: { ...status, ...(initialStatus === undefined ? {} : { default: initialStatus }) } }
        : {})
    }
  }
  const versions = crd.spec.versions.map((version) => ({ ...version, schema: { openAPIV3Schema } }))
  return [{ ...crd, spec: { ...crd.spec, versions } }]
}
