/**
 * What we need to know of a kind of Kubernetes object to read it: where the
 * API server keeps it, and the fields that we read. Fields that a schema
 * does not name are dropped when an object is read, so that decisions (and
 * their records) hold nothing that did not matter.
 */
import { Schema, SchemaTransformation } from "effect"

export interface Kind<A extends Identified = Identified> {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  /** Only objects of this namespace are of interest. */
  readonly onlyNamespace?: string
  /** Only objects with this label selector are of interest: keeps the watch cache small. */
  readonly selector?: string
  /** Fields that the API server selects by, beside name and namespace: a custom kind says so in its definition. */
  readonly selectableFields?: ReadonlyArray<string>
  readonly schema: Schema.Codec<A, unknown>
  /** The status of an object that has none yet: a default in the CRD. */
  readonly initialStatus?: object
  /** A kind of ours: what its CustomResourceDefinition says beside the schema. */
  readonly custom?: Custom
}

export interface Custom {
  readonly singular: string
  readonly shortNames: ReadonlyArray<string>
  /** What `kubectl get` prints beside the name. */
  readonly columns: ReadonlyArray<Column>
}

export interface Column {
  readonly name: string
  readonly jsonPath: string
  readonly type: "string" | "integer" | "date"
  readonly description?: string
  /** Only with `-o wide`. */
  readonly isWide?: true
}

const known = new Map<string, Kind>()

/** Declares a kind: whatever loads its file knows it by its name. */
export const defineKind = <A extends Identified>(kind: Kind<A>): Kind<A> => {
  known.set(kind.kind, kind)
  return kind
}

/** Every kind that the program has loaded, in the order of their names. */
export const knownKinds = (): ReadonlyArray<Kind> => [...known.values()].toSorted((a, b) => (a.kind < b.kind ? -1 : 1))

export const kindNamed = (name: string): Kind | undefined => known.get(name)

/** The API group of a kind; "" is the core group. */
export const groupOf = ({ apiVersion }: Pick<Kind, "apiVersion">): string =>
  apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : ""

/** The namespace of an object of a kind that has them. */
export const namespaceOf = ({ metadata }: { readonly metadata: { readonly namespace?: string } }): string =>
  metadata.namespace ?? ""

/** Names one object. `namespace` is absent for what belongs to the whole cluster. */
export const Reference = Schema.Struct({
  kind: Schema.String,
  namespace: Schema.optionalKey(Schema.String),
  name: Schema.String
})
export type Reference = typeof Reference.Type

/** The same for all that is about one object. */
export const keyOf = ({ kind, name, namespace = "" }: Named): string => `${kind}/${namespace}/${name}`

interface Named {
  readonly kind: string
  readonly namespace?: string | undefined
  readonly name: string
}

const Labels = Schema.Record(Schema.String, Schema.String)

// Other people's annotations can hold whole manifests with their secrets, and decisions are logged.
const Annotations = Labels.pipe(
  Schema.decodeTo(
    Labels,
    SchemaTransformation.transform({
      decode: (all) => Object.fromEntries(Object.entries(all).filter(([key]) => isOfInterest(key))),
      encode: (kept) => kept
    })
  )
)

/** Whether an annotation is one of ours: of the whole object, or of one container of a Pod. */
const isOurAnnotation = (key: string): boolean => /^([a-z0-9-]+\.)?enbi\.hrzn\.ee\//.test(key)

/** Whether an annotation is one that the functions look at: ours, and those of the groups of our kinds. */
export const isOfInterest = (key: string): boolean =>
  isOurAnnotation(key) ||
  key === "kubernetes.io/config.mirror" ||
  [...known.values()].some((kind) => kind.custom !== undefined && key.startsWith(`${groupOf(kind)}/`))

export const ObjectMeta = Schema.Struct({
  name: Schema.String,
  namespace: Schema.optionalKey(Schema.String),
  uid: Schema.String,
  resourceVersion: Schema.String,
  generation: Schema.optionalKey(Schema.Int),
  creationTimestamp: Schema.optionalKey(Schema.String),
  deletionTimestamp: Schema.optionalKey(Schema.String),
  labels: Schema.optionalKey(Labels),
  annotations: Schema.optionalKey(Annotations)
})
export type ObjectMeta = typeof ObjectMeta.Type

/** As much as every object has that we read. */
export interface Identified {
  readonly metadata: ObjectMeta
}

/** Any object as the API server sends it: what we do not know of it is kept. */
export const KubernetesObject = Schema.StructWithRest(
  Schema.Struct({
    apiVersion: Schema.String,
    kind: Schema.String,
    metadata: Schema.StructWithRest(Schema.Struct({ name: Schema.String, namespace: Schema.optional(Schema.String) }), [
      Schema.Record(Schema.String, Schema.Unknown)
    ])
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)
export type KubernetesObject = typeof KubernetesObject.Type

/** The path of one object, or of all in a namespace, or of all in the cluster. */
export const pathOf = (
  kind: Pick<Kind, "apiVersion" | "plural" | "namespaced" | "onlyNamespace">,
  at: { readonly namespace?: string | undefined; readonly name?: string | undefined } = {}
): string => {
  const root = kind.apiVersion.includes("/") ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`
  const namespace = at.namespace ?? kind.onlyNamespace
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : ""
  return `${root}${scope}/${kind.plural}${at.name === undefined ? "" : `/${at.name}`}`
}
