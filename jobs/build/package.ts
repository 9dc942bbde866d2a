/**
 * Which derivation, and which output of it, `spec.packageName` means, as
 * `nix build` takes it:
 *
 * | what is there                                   | the output                 |
 * |-------------------------------------------------|----------------------------|
 * | `app^image`                                     | that one                   |
 * | `app.image`, which says that it means an output | that one                   |
 * | meta.outputsToInstall with one output           | that one                   |
 * | an output named out                             | out                        |
 * | one output, whatever its name                   | that one (Nix wants a `^`) |
 */
import { Effect, Schema } from "effect"
import { Failure } from "../../lib/nixbuild/job-result.ts"

const split = (packageName: string): readonly [string, string | undefined] => {
  const [path = "", output] = packageName.split("^", 2)
  return [path, output]
}

/** The attribute that `packageName` names. */
export const attributeOf = ({ packageName, system }: { readonly packageName: string; readonly system: string }) =>
  `packages.${system}.${split(packageName)[0]}`

/** What Nix is asked about the attribute's value. */
export const question = `package:
  if builtins.isAttrs package && package.type or null == "derivation" then {
    inherit (package) drvPath;
    outputs = package.outputs or [ "out" ];
    meant =
      if package ? outputSpecified then (if package.outputSpecified then [ package.outputName ] else [ ])
      else package.meta.outputsToInstall or [ ];
  } else { found = builtins.typeOf package; }`

const storeDerivation = Schema.String.check(Schema.isPattern(/^\/nix\/store\/[^/]+\.drv$/u))

export const Derivation = Schema.Struct({
  drvPath: storeDerivation,
  outputs: Schema.Array(Schema.String),
  meant: Schema.Array(Schema.String)
})
const Answer = Schema.fromJsonString(Schema.Union([Derivation, Schema.Struct({ found: Schema.String })]))

/** The derivation and the output that Nix's answer leads to. */
export const chosenOf = Effect.fn("chosenOf")(function* (
  wanted: { readonly packageName: string; readonly system: string },
  answer: string
) {
  const decoded = yield* Effect.option(Schema.decodeEffect(Answer)(answer))
  const attribute = attributeOf(wanted)
  if (decoded._tag === "None") return yield* missing(`${attribute} is not a derivation that Nix can build`)
  if ("found" in decoded.value) return yield* missing(`${attribute} is not a derivation, but a ${decoded.value.found}`)
  const { drvPath, outputs } = decoded.value
  const output = outputOf(split(wanted.packageName)[1], decoded.value)
  if (output !== undefined && outputs.includes(output)) return { drvPath, output }
  const there = `${outputs.length === 1 ? "Its output is" : "Its outputs are"} ${outputs.join(", ")}`
  return yield* missing(
    output === undefined
      ? `${attribute} has several outputs and none is called "out". ${there}; choose the one with the image, for example ${wanted.packageName}^${outputs[0]}`
      : `${attribute} has no output ${output}. ${there}`
  )
})

const outputOf = (asked: string | undefined, { meant, outputs }: typeof Derivation.Type): string | undefined => {
  if (asked !== undefined) return asked
  if (meant.length === 1) return meant[0]
  return outputs.includes("out") || outputs.length !== 1 ? outputs.find((name) => name === "out") : outputs[0]
}

const missing = (message: string) =>
  new Failure({ reason: "AttributeMissing", message: `${message}: check spec.packageName.`, log: "" })
