/** Sizes in settings, as Kubernetes writes them. */
import { assert, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { BytesFromQuantity } from "../lib/kubernetes/quantity.ts"

const rows: ReadonlyArray<readonly [string, number | undefined, string]> = [
  ["0", 0, "no limit"],
  ["1000", 1000, "bytes"],
  ["50Gi", 53_687_091_200, "binary"],
  ["500M", 500_000_000, "decimal"],
  ["1k", 1000, "kilo is a small letter"],
  ["1.5Gi", 1_610_612_736, "a fraction"],
  ["0.1", 1, "a part of a byte is a byte"],
  ["1K", undefined, "no suffix of Kubernetes"],
  ["50GiB", undefined, "no suffix of Kubernetes"],
  ["100m", undefined, "thousandths of a byte"],
  ["-1", undefined, "less than nothing"],
  ["10000P", undefined, "more than a number can count"],
  ["Gi", undefined, "no number"],
  ["", undefined, "nothing"]
]

for (const [text, bytes, why] of rows) {
  it(`"${text}" is ${bytes ?? "refused"}: ${why}`, () =>
    assert.strictEqual(Option.getOrUndefined(Schema.decodeOption(BytesFromQuantity)(text)), bytes))
}
