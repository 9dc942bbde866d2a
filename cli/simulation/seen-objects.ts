/** The Kubernetes objects in an observation: its schema says where they are, and of which kind. */
import { Option, Schema } from "effect"
import { knownKinds, ObjectMeta } from "../../lib/kubernetes/kind.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { isFields } from "../../lib/memory/objects.ts"

/** An object as far as a function observed it. */
export const SeenObject = Schema.StructWithRest(Schema.Struct({ kind: Schema.String, metadata: ObjectMeta }), [
  Schema.Record(Schema.String, Schema.Unknown)
])
export type SeenObject = typeof SeenObject.Type

/** All of them, as they were recorded; what is not as the schema of today has it is passed over. */
export const seenIn = ({ Observed }: EnbiFunction<unknown>, observed: unknown): ReadonlyArray<SeenObject> => [
  ...objectsIn(Observed, observed),
  ...namespaceIn(observed)
]

const objectsIn = (schema: unknown, value: unknown): ReadonlyArray<SeenObject> => {
  const kind = knownKinds().find((known) => known.schema === schema)?.kind
  if (kind !== undefined) return asSeen(kind, value)
  if (Array.isArray(value)) return value.flatMap((each) => objectsIn(partOf(schema, "value"), each))
  const optional = partOf(schema, "schema")
  if (optional !== undefined) return objectsIn(optional, value)
  const fields = partOf(schema, "fields")
  if (!isFields(fields) || !isFields(value)) return []
  return Object.entries(fields).flatMap(([key, field]) => objectsIn(field, value[key]))
}

/** What a schema is made of: `fields` of a Struct, `value` of an Array, `schema` of an optional key. */
const partOf = (schema: unknown, part: "fields" | "schema" | "value"): unknown =>
  typeof schema === "function" ? Reflect.get(schema, part) : undefined

const readSeen = Schema.decodeUnknownOption(SeenObject)

const asSeen = (kind: string, value: unknown): ReadonlyArray<SeenObject> => {
  const seen = isFields(value) ? readSeen({ ...value, kind }) : Option.none()
  return Option.isSome(seen) ? [{ ...seen.value, kind }] : []
}

const readPlace = Schema.decodeUnknownOption(
  Schema.Struct({
    namespaceUid: Schema.String,
    build: Schema.Struct({ metadata: Schema.Struct({ namespace: Schema.String }) })
  })
)

/** The launcher keeps of a namespace only its uid. */
const namespaceIn = (observed: unknown): ReadonlyArray<SeenObject> =>
  Option.match(readPlace(observed), {
    onNone: () => [],
    onSome: ({ build, namespaceUid: uid }) =>
      asSeen("Namespace", { metadata: { name: build.metadata.namespace, uid, resourceVersion: "0" } })
  })
