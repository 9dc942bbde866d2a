/**
 * An Effect Schema as the structural OpenAPI schema that a CRD wants.
 *
 * | Effect writes                    | the API server takes                    |
 * |----------------------------------|-----------------------------------------|
 * | `allOf` of checks and their notes | the same, in the schema itself          |
 * | `anyOf: [integer, string]`       | `x-kubernetes-int-or-string`            |
 * | `additionalProperties` beside `properties` | no such thing: unknown fields are refused anyway |
 */
import { Schema } from "effect"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

export const structural = (schema: Schema.Constraint): JsonObject => {
  const document = Schema.toJsonSchemaDocument(schema, {
    referencePolicy: () => undefined,
    includeAnnotationKey: (key) => key.startsWith("x-kubernetes-")
  })
  return convert(Schema.decodeUnknownSync(JsonObjectSchema)(document.schema))
}

const JsonObjectSchema: Schema.Codec<JsonObject, unknown> = Schema.Record(Schema.String, Schema.Json)

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isIntOrString = (anyOf: Json | undefined): boolean =>
  Array.isArray(anyOf) &&
  anyOf.length === 2 &&
  anyOf.every((arm) => isJsonObject(arm) && /^(integer|string)$/.test(`${arm["type"]}`))

// Effect says of every integer that JavaScript can hold it; that is not the field's range.
const isSafeIntegerBound = (key: string, value: Json): boolean =>
  (key === "minimum" || key === "maximum") && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER

const convert = (node: JsonObject): JsonObject => {
  if (isIntOrString(node["anyOf"])) return { "x-kubernetes-int-or-string": true }
  const { additionalProperties, allOf, ...own } = node
  const arms = Array.isArray(allOf) ? allOf.filter(isJsonObject) : []
  const merged: JsonObject = Object.assign({}, own, ...arms)
  const { items, properties, ...rest } = merged
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([key, value]) => !isSafeIntegerBound(key, value))),
    ...(isJsonObject(items) ? { items: convert(items) } : {}),
    ...(isJsonObject(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, value]) => [key, isJsonObject(value) ? convert(value) : value])
          )
        }
      : isJsonObject(additionalProperties)
        ? { additionalProperties: convert(additionalProperties) }
        : {})
  }
}
