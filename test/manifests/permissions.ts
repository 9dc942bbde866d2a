/** Whether an account may do what a function does. */
import { groupOf, type Kind } from "../../lib/kubernetes/kind.ts"
import type { Permission } from "../../lib/runtime/function.ts"
import { rulesOf } from "../../generate/rbac.ts"

export interface Access {
  readonly verb: string
  /** With its subresource, as RBAC writes it. */
  readonly resource: string
  readonly group: string
  readonly namespace?: string | undefined
}

export const isPermitted = (permissions: ReadonlyArray<Permission>, access: Access): boolean =>
  rulesOf({ permissions }).some(
    ({ apiGroup, namespace, resource, verbs }) =>
      apiGroup === access.group &&
      resource === access.resource &&
      verbs.includes(access.verb) &&
      (namespace === undefined || namespace === access.namespace)
  )

/** What writing or reading an object of this kind asks for. */
export const accessTo = (
  kind: Kind,
  {
    namespace,
    subresource,
    verb
  }: { readonly verb: string; readonly subresource?: string; readonly namespace?: string | undefined }
): Access => {
  const resource = subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`
  return { verb, resource, group: groupOf(kind), namespace }
}

const path = /^\/(?:api|apis)\/(v1|[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(\/[^/]+)?(\/[a-z]+)?$/

const verbs: Readonly<Record<string, string>> = { DELETE: "delete", GET: "get", PATCH: "patch", POST: "create" }

/** What a request asks for. */
export const accessOf = (method: string, url: string): Access => {
  const [, apiVersion = "", namespace, plural = "", name, subresource = ""] = path.exec(url) ?? []
  const verb = method === "GET" && name === undefined ? "list" : (verbs[method] ?? method)
  return { verb, resource: plural + subresource, group: groupOf({ apiVersion }), namespace }
}
