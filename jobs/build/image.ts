/**
 * The image that `spec.image` of a NixBuild asks for: which packages of the
 * set it means, and the derivation of a stream script that dockerTools makes of
 * them. Names go to Nix as data, which Nix looks up and never reads as code;
 * those that are missing come back as data.
 */
import { Effect, Schema } from "effect"
import type { Extra, ImageConfig, ImageRequest } from "../../lib/api/image-request.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { nearest } from "./nearest.ts"
import { Derivation } from "./package.ts"

/** The names that an attribute path is made of; those in double quotes may hold dots. */
export const namesIn = (path: string): ReadonlyArray<string> =>
  [...path.matchAll(/"([^"]*)"|[^."]+/gu)].map(([word, quoted]) => quoted ?? word)

/** The package set, as an attribute of the flake. */
export const packageSetOf = (system: string): string => `legacyPackages.${system}`

// Of everything that comes with an image, what stands in its configuration.
const environmentOf: { readonly [E in Extra]?: readonly [name: string, value: string] } = {
  Path: ["PATH", "/bin:/usr/bin"],
  CACertificates: ["SSL_CERT_FILE", "/etc/ssl/certs/ca-bundle.crt"]
}

const allExtras: ReadonlyArray<Extra> = ["CACertificates", "Shell", "Env", "Users", "Tmp", "Path"]

/** The configuration that the image gets: of two values of a variable the request's counts. */
export const configOf = ({ config = {}, omit = [] }: ImageRequest): ImageConfig => {
  const asked = config.Env ?? []
  const isAsked = (name: string) => asked.some((variable) => variable.startsWith(`${name}=`))
  const usual = allExtras
    .filter((extra) => !omit.includes(extra))
    .flatMap((extra) => {
      const [name = "", value = ""] = environmentOf[extra] ?? []
      return name === "" || isAsked(name) ? [] : [`${name}=${value}`]
    })
  const environment = [...usual, ...asked]
  return { ...config, ...(environment.length === 0 ? {} : { Env: environment }) }
}

// What Nix reads of the request. The order of the packages does not matter, so equal requests give one derivation.
const dataOf = (request: ImageRequest, system: string) => ({
  system,
  contents: [...new Set(request.contents.map((path) => JSON.stringify(namesIn(path))))]
    .toSorted()
    .map((text): unknown => JSON.parse(text)),
  extras: allExtras.filter((extra) => !(request.omit ?? []).includes(extra)),
  config: configOf(request),
  maxLayers: request.maxLayers ?? 100,
  allowUnfree: request.allowUnfree ?? false,
  ignoreCase: request.ignoreCase ?? false
})

// Nix, "String literals": these three are all that has a meaning between double quotes.
const literal = (text: string): string => `"${text.replace(/[\\"$]/gu, (character) => `\\${character}`)}"`

/**
 * What is asked about the package set: a function of it, without arguments but
 * for the request, which is a text to it. `dockerTools` takes no argument that
 * nixpkgs of two years ago does not have.
 */
export const questionOf = (request: ImageRequest, system: string): string => `packageSet:
  let
    request = builtins.fromJSON ${literal(JSON.stringify(dataOf(request, system)))};
    packages =
      if request.allowUnfree
      then import packageSet.path { inherit (request) system; config = { allowUnfree = true; }; }
      else packageSet;
    lower = builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (letters "abcdefghijklmnopqrstuvwxyz");
    letters = text: builtins.genList (at: builtins.substring at 1 text) (builtins.stringLength text);
    alike = found: name:
      if found ? \${name} then [ name ]
      else if !request.ignoreCase then [ ]
      else if found ? "_\${name}" then [ "_\${name}" ]
      else builtins.filter (other: lower other == lower name) (builtins.attrNames found);
    # The value is not looked at: it may be a package that throws, and all that is missing is told first.
    walk = found: path: left:
      if left == [ ] then { inherit path; value = found; }
      else if !(builtins.isAttrs found) then { inherit path left; names = [ ]; }
      else let names = alike found (builtins.head left); in
        if builtins.length names == 1 then walk found.\${builtins.head names} path (builtins.tail left)
        else if names != [ ] then { inherit path left names; isAmbiguous = true; }
        else { inherit path left; names = builtins.attrNames found; };
    found = map (path: walk packages path path) request.contents;
    missing = builtins.filter (one: one ? left) found;
    others = builtins.filter (one: one.value.type or null != "derivation") found;
    tools = packages.dockerTools;
    extras = {
      CACertificates = [ tools.caCertificates ];
      Shell = [ tools.binSh ];
      Env = [ tools.usrBinEnv ];
      Users = [ tools.fakeNss ];
    };
    image = tools.streamLayeredImage ({
      name = "image";
      tag = "latest";
      contents = map (one: one.value) found ++ builtins.concatMap (extra: extras.\${extra} or [ ]) request.extras;
      inherit (request) config maxLayers;
    } // (if builtins.elem "Tmp" request.extras then { extraCommands = "mkdir -p tmp; chmod 1777 tmp"; } else { }));
  in
  if missing != [ ] then { inherit missing; }
  else if others != [ ] then { others = map (one: { inherit (one) path; type = builtins.typeOf one.value; }) others; }
  else if !(packages ? dockerTools.streamLayeredImage) then { lacks = "dockerTools.streamLayeredImage"; }
  else { inherit (image) drvPath; outputs = [ "out" ]; meant = [ "out" ]; }`

const Path = Schema.Array(Schema.String)

const Answer = Schema.fromJsonString(
  Schema.Union([
    Derivation,
    Schema.Struct({
      missing: Schema.Array(
        Schema.Struct({
          path: Path,
          left: Path,
          /** Of an ambiguous name those that it may mean, else all that are there. */
          names: Schema.Array(Schema.String),
          isAmbiguous: Schema.optionalKey(Schema.Boolean)
        })
      )
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
    const words = found.missing.map(({ isAmbiguous = false, left, names, path }) => {
      const [name = ""] = left
      const above = path.slice(0, path.length - left.length)
      const say = (all: ReadonlyArray<string>) => all.map((other) => shown([...above, other])).join(", ")
      if (isAmbiguous) return `not one ${shown(path)}, but ${say(names)}`
      const near = nearest(name, names)
      return near.length === 0 ? `no ${shown(path)}` : `no ${shown(path)} (nearest: ${say(near)})`
    })
    return yield* missing(`The package set has ${words.join("; ")} in ${set}. Correct the contents.`)
  }
  if ("others" in found) {
    const words = found.others.map(({ path, type }) => `${shown(path)} (${article[type] ?? type})`)
    return yield* missing(`${words.join(" and ")} in ${set} is no package. Correct the contents.`)
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
