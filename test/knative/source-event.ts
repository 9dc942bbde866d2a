/**
 * What ApiServerSource and PingSource send: the message for one change of one
 * object, and for one tick. Pure.
 */
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { toBinary } from "./event.ts"
import type { Message } from "./http.ts"
import { sortedJson } from "./json.ts"
import type { ApiServerSource, PingSource } from "./manifest-schema.ts"

/** What differs each time that an event is sent, but not when that is tried again. */
export interface Stamp {
  /** A new uuid. */
  readonly id: string
  /** Of the sending, not of the change. */
  readonly time: string
}

/** Where the source is. */
export interface Origin {
  /** Namespace of the source. */
  readonly namespace: string
  /** The API server's URL as the adapter sees it. */
  readonly apiServer: string
}

export type Verb = "ADDED" | "MODIFIED" | "DELETED"

const verbs = { ADDED: "add", MODIFIED: "update", DELETED: "delete" } as const

/** A change as it came from the watch: an add need not be a creation, nor a delete a deletion. */
export const changeMessage = (
  { spec }: ApiServerSource,
  change: { readonly verb: Verb; readonly object: KubernetesObject },
  { origin, stamp }: { readonly origin: Origin; readonly stamp: Stamp }
): Message => {
  const { apiVersion, kind, metadata } = change.object
  const { name, namespace = "" } = metadata
  const isResource = spec.mode === "Resource"
  const attributes = {
    specversion: "1.0",
    id: stamp.id,
    source: origin.apiServer,
    type: `dev.knative.apiserver.${isResource ? "resource" : "ref"}.${verbs[change.verb]}`,
    // `/apis/` for the core kinds too, and with an empty namespace for what has none.
    subject: `/apis/${apiVersion}/namespaces/${namespace}/${guessPlural(kind)}/${name}`,
    time: stamp.time,
    datacontenttype: "application/json",
    apiversion: apiVersion,
    kind,
    name,
    namespace,
    // Last, so these win.
    ...spec.ceOverrides?.extensions
  }
  const reference = { kind, ...(namespace === "" ? {} : { namespace }), name, apiVersion }
  const data = Buffer.from(isResource ? sortedJson(change.object) : JSON.stringify(reference))
  return from(origin, toBinary({ attributes: new Map(Object.entries(attributes)), data }))
}

/** A tick: no subject, the manifest's data as it stands there. */
export const pingMessage = (
  { metadata, spec }: PingSource,
  { origin, stamp }: { origin: Origin; stamp: Stamp }
): Message => {
  const attributes = {
    specversion: "1.0",
    id: stamp.id,
    source: `/apis/v1/namespaces/${origin.namespace}/pingsources/${metadata.name}`,
    type: "dev.knative.sources.ping",
    time: stamp.time,
    ...(spec.contentType === undefined ? {} : { datacontenttype: spec.contentType }),
    ...spec.ceOverrides?.extensions
  }
  const data = Buffer.from(spec.data ?? "")
  return from(origin, toBinary({ attributes: new Map(Object.entries(attributes)), data }))
}

const from = ({ namespace }: Origin, { body, headers }: Message): Message => ({
  headers: [...headers, ["Kn-Namespace", namespace]],
  body
})

// The adapter does not ask for the real one.
const guessPlural = (kind: string): string => {
  const singular = kind.toLowerCase()
  if (singular.endsWith("s")) return `${singular}es`
  return singular.endsWith("y") ? `${singular.slice(0, -1)}ies` : `${singular}s`
}
