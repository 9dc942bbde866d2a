/** Jobs as the functions make them, for asking the API server what it has against them. */
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import type { At } from "./cluster.ts"
import { builderImage } from "./cluster.ts"

/** The account of all functions in one process. */
export const account = "system:serviceaccount:enbi-system:enbi-functions"

export const container = (namespace: string) => ({
  name: "c",
  image: builderImage,
  args: [namespace === "enbi-system" ? "/app/import.js" : "/app/build.js"],
  securityContext: { allowPrivilegeEscalation: false }
})

export const ofNixBuild = { ...managedBy, "enbi.hrzn.ee/nixbuild-uid": "x" }

export const job = (at: At, spec: object = {}, labels: Record<string, string> = ofNixBuild) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { ...at, labels },
  spec: {
    suspend: true,
    template: {
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        containers: [container(at.namespace)],
        ...spec
      }
    }
  }
})

export const mounting = (path: string) => ({ volumes: [{ name: "v", hostPath: { path } }] })
