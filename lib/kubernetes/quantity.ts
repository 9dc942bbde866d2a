/** Reads sizes as Kubernetes writes them: 50Gi, 1.5G, 1000. */
import { Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"

// Kubernetes, "Quantity": the suffixes that make sense for bytes; without the form with an exponent.
const factors = new Map<string, number>([
  ["", 1],
  ...["k", "M", "G", "T", "P"].map((suffix, index) => [suffix, 1000 ** (index + 1)] as const),
  ...["Ki", "Mi", "Gi", "Ti", "Pi"].map((suffix, index) => [suffix, 1024 ** (index + 1)] as const)
])
const pattern = /^(\d+(?:\.\d*)?)([A-Za-z]*)$/u

/** A number of bytes from a quantity; a part of a byte counts as a whole one. */
export const BytesFromQuantity = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Int,
    SchemaTransformation.transformEffect({
      decode: (text, options) => {
        const [, number, suffix = ""] = pattern.exec(text) ?? []
        const bytes = Math.ceil(Number(number) * (factors.get(suffix) ?? Number.NaN))
        return Number.isSafeInteger(bytes)
          ? Effect.succeed(bytes)
          : Effect.fail(
              new SchemaIssue.InvalidValue({ message: "Expected a size such as 50Gi or 500M" }, text, options)
            )
      },
      encode: (bytes) => Effect.succeed(String(bytes))
    })
  )
)
