/**
 * The image that `spec.image` of a NixBuild asks for: which packages of the
 * set it means, and the derivation of a stream script that dockerTools makes of
 * them. Names go to Nix as data, which Nix looks up and never reads as code;
 * those that are missing come back as data.
 */
import { Effect, Schema } from "effect"
import type { ImageRequest } from "../../lib/api/image-request.ts"
import { bindings, contentOf, nixString } from "../../lib/nixbuild/image-expression.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { nearest } from "./nearest.ts"
import { Derivation } from "./package.ts"

/** The package set, as an attribute of the flake. */
export const packageSetOf = (system: string): string => `legacyPackages.${system}`

/**
 * What is asked about the package set: a function of it, without arguments but
 * for the request, which is a text to it.
 */
export const questionOf = (request: ImageRequest, system: string): string => `packageSet:
  let
    request = builtins.fromJSON ${nixString(JSON.stringify(dataOf(request, system)))};
    inherit (request) system;
    ${bindings.packages}
    lower = builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (letters "abcdefghijklmnopqrstuvwxyz");
    letters = text: builtins.genList (at: builtins.substring at 1 text) (builtins.stringLength text);
    fold = found: builtins.groupBy lower (builtins.attrNames found);
    # All of nixpkgs' names take a fifth of a second, so that is done once.
    folded = fold packages;
    alike = found: folded: name:
      if found ? \${name} then [ name ]
      else if !request.ignoreCase then [ ]
      else if found ? "_\${name}" then [ "_\${name}" ]
      else folded.\${lower name} or [ ];
    # The value is not looked at: it may be a package that throws, and all that is missing is told first.
    walk = found: path: left:
      if left == [ ] then { inherit path; value = found; }
      else if !(builtins.isAttrs found) then { inherit path left; names = [ ]; }
      else let names = alike found (if left == path then folded else fold found) (builtins.head left); in
        if builtins.length names == 1 then walk found.\${builtins.head names} path (builtins.tail left)
        else if names != [ ] then { inherit path left; meant = names; }
        else { inherit path left; names = builtins.attrNames found; };
    found = map (path: walk packages path path) request.contents;
    missing = builtins.filter (one: one ? left) found;
    above = { path, left, ... }:
      builtins.genList (builtins.elemAt path) (builtins.length path - builtins.length left);
    # Of nixpkgs they are half a megabyte, so those of one set are told once.
    levels = builtins.attrValues (builtins.mapAttrs
      (_: alike: { path = above (builtins.head alike); inherit (builtins.head alike) names; })
      (builtins.groupBy (one: builtins.toJSON (above one)) (builtins.filter (one: one ? names) missing)));
    others = builtins.filter (one: one.value.type or null != "derivation") found;
    contents = map (one: one.value) found;
    ${bindings.image}
  in
  if missing != [ ] then { inherit levels; missing = map (one: removeAttrs one [ "names" ]) missing; }
  else if others != [ ] then { others = map (one: { inherit (one) path; type = builtins.typeOf one.value; }) others; }
  else if !(packages ? dockerTools.streamLayeredImage) then { lacks = "dockerTools.streamLayeredImage"; }
  else { inherit (image) drvPath; outputs = [ "out" ]; meant = [ "out" ]; }`

// What Nix reads of the request.
const dataOf = (request: ImageRequest, system: string) => ({
  system,
  ...contentOf(request),
  ignoreCase: request.ignoreCase ?? false
})

const Path = Schema.Array(Schema.String)

const Answer = Schema.fromJsonString(
  Schema.Union([
    Derivation,
    Schema.Struct({
      missing: Schema.Array(
        Schema.Struct({
          path: Path,
          left: Path,
          /** Of an ambiguous name those that it may mean. */
          meant: Schema.optionalKey(Path)
        })
      ),
      /** All names of the sets in which one is missing. */
      levels: Schema.Array(Schema.Struct({ path: Path, names: Schema.Array(Schema.String) }))
    }),
    Schema.Struct({ others: Schema.Array(Schema.Struct({ path: Path, type: Schema.String })) }),
    Schema.Struct({ lacks: Schema.String })
  ])
)

const shown = (path: ReadonlyArray<string>): string =>
  path.map((name) => (/^[A-Za-z0-9_'+-]+$/u.test(name) ? name : JSON.stringify(name))).join(".")

/** The derivation that Nix's answer names. */
export const imageIn = Effect.fn("imageIn")(function* (system: string, answer: string) {
  const found = yield* Effect.orDie(Schema.decodeEffect(Answer)(answer))
  const set = packageSetOf(system)
  if ("missing" in found) {
    const namesAt = new Map(found.levels.map((level) => [JSON.stringify(level.path), level.names]))
    const words = found.missing.map(({ left, meant, path }) => {
      const [name = ""] = left
      const above = path.slice(0, path.length - left.length)
      const say = (all: ReadonlyArray<string>) => all.map((other) => shown([...above, other])).join(", ")
      if (meant !== undefined) return `not one ${shown(path)}, but ${say(meant)}`
      const near = nearest(name, namesAt.get(JSON.stringify(above)) ?? [])
      return near.length === 0 ? `no ${shown(path)}` : `no ${shown(path)} (nearest: ${say(near)})`
    })
    return yield* missing(`The package set has ${words.join("; ")} in ${set}. Correct the contents.`)
  }
  if ("others" in found) {
    const words = found.others.map(({ path, type }) => `${shown(path)} (${article[type] ?? type})`)
    const no = words.length === 1 ? "is no package" : "are no packages"
    return yield* missing(`${words.join(" and ")} in ${set} ${no}. Correct the contents.`)
  }
  if ("lacks" in found) return yield* missing(`The package set cannot make images: it has no ${found.lacks} in ${set}.`)
  return { drvPath: found.drvPath, output: "out" }
})

const article: Readonly<Record<string, string>> = {
  set: "a set",
  lambda: "a function",
  string: "a string",
  list: "a list",
  int: "a number",
  bool: "a boolean"
}

const missing = (message: string) => new Failure({ reason: "AttributeMissing", message, log: "" })
