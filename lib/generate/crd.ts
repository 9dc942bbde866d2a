/** The CustomResourceDefinition of NixBuild, made of its Schemas. */
import { NixBuild, nixBuilds, Spec, Status } from "../api/nixbuild.ts"
import { structural } from "./structural.ts"

const column = (name: string, jsonPath: string, more: object = {}) => ({ name, type: "string", jsonPath, ...more })
const wide = { priority: 1 }

export const nixBuildCrd = () => {
  const [group, version] = nixBuilds.apiVersion.split("/")
  const { description } = structural(NixBuild)
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${nixBuilds.plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind: nixBuilds.kind,
        listKind: `${nixBuilds.kind}List`,
        plural: nixBuilds.plural,
        singular: "nixbuild",
        shortNames: ["nb"],
        categories: ["nix"]
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          selectableFields: nixBuilds.selectableFields?.map((field) => ({ jsonPath: `.${field}` })),
          additionalPrinterColumns: [
            column("Image Tag", ".spec.imageTag"),
            column("System", ".spec.system"),
            column("Status", ".status.status"),
            column("Build Node", ".status.buildNode"),
            column("Age", ".metadata.creationTimestamp", { type: "date" }),
            column("Reason", ".status.failure.reason", wide),
            column("Ready", '.status.conditions[?(@.type=="Ready")].message', wide),
            column("Digest", ".status.imageDigest", wide),
            column("Size", ".status.imageSize", { ...wide, type: "integer", description: "In bytes, as CRI counts." }),
            column("Package", ".spec.packageName", wide)
          ],
          schema: {
            openAPIV3Schema: {
              type: "object",
              ...(description === undefined ? {} : { description }),
              required: ["spec"],
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: { type: "object" },
                spec: { description: "What to build, and who wants it.", ...structural(Spec) },
                status: {
                  description: "What became of it; written by the functions only.",
                  ...structural(Status),
                  default: nixBuilds.initialStatus
                }
              }
            }
          }
        }
      ]
    }
  }
}
