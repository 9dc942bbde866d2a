/** What is asked about many NixBuilds at once. */
import { isOpen, type NixBuild, nixBuilds } from "../api/nixbuild.ts"
import { inNamespace, question } from "../kubernetes/question.ts"

/** All of a namespace. */
export const buildsIn = inNamespace(nixBuilds)

// Of one whose spec has changed since, or that is asked for a retry, this is untrue until importer-status has looked at
// it: it looks at each event of a NixBuild, and with each sweep at all of them.
const unsettled = ["status.settled!=true"]

/** All NixBuilds for which something is left to do. */
export const openBuilds = question<NixBuild, void>({
  kind: nixBuilds,
  keysOf: (build) => (isOpen(build) ? [""] : []),
  keyFor: () => "",
  selectorFor: () => ({ fields: unsettled })
})

/** Those of a namespace. */
export const openBuildsIn = question({
  kind: nixBuilds,
  keysOf: (build) => (isOpen(build) ? [build.metadata.namespace ?? ""] : []),
  keyFor: (namespace: string) => namespace,
  selectorFor: (namespace) => ({ namespace, fields: unsettled })
})
