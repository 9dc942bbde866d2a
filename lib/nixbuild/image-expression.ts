/**
 * The image that is made of packages, in Nix: what the builder evaluates, and
 * what stands in the flake that `enbi image --print-flake` prints. Both give
 * the same derivation, since they have the same content and these bindings.
 */
import type { Extra, ImageConfig, ImageRequest } from "../api/image-request.ts"

/** The names that an attribute path is made of; those in double quotes may hold dots. */
export const namesIn = (path: string): ReadonlyArray<string> =>
  [...path.matchAll(/"([^"]*)"|[^."]+/gu)].map(([word, quoted]) => quoted ?? word)

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

/** What the image is made of. The order of the packages does not matter, so equal requests give one derivation. */
export const contentOf = (request: ImageRequest) => ({
  contents: [...new Set(request.contents.map((path) => JSON.stringify(namesIn(path))))]
    .toSorted()
    .map((text): unknown => JSON.parse(text)),
  extras: allExtras.filter((extra) => !(request.omit ?? []).includes(extra)),
  config: configOf(request),
  maxLayers: request.maxLayers ?? 100,
  allowUnfree: request.allowUnfree ?? false
})

// Nix, "String literals": the first three are all that has a meaning between double quotes; a bare CR is read as LF.
const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r" }

/** A text as Nix reads it: nothing in it is code. */
export const nixString = (text: string): string =>
  `"${text.replace(/[\\"$\n\r]/gu, (character) => escapes[character] ?? `\\${character}`)}"`

/**
 * In a `let` with `packageSet`, `system` and `request`, which has the content:
 * `packages`, the set to take them from, and, where `contents` are those, the
 * `image`. `dockerTools` takes no argument that nixpkgs of two years ago does
 * not have.
 */
export const bindings = {
  packages: `packages =
      if request.allowUnfree
      then import packageSet.path { inherit system; config = { allowUnfree = true; }; }
      else packageSet;`,
  image: `tools = packages.dockerTools;
    extras = {
      CACertificates = [ tools.caCertificates ];
      Shell = [ tools.binSh ];
      Env = [ tools.usrBinEnv ];
      Users = [ tools.fakeNss ];
    };
    image = tools.streamLayeredImage ({
      name = "image";
      tag = "latest";
      contents = contents ++ builtins.concatMap (extra: extras.\${extra} or [ ]) request.extras;
      inherit (request) config maxLayers;
    } // (if builtins.elem "Tmp" request.extras then { extraCommands = "mkdir -p tmp; chmod 1777 tmp"; } else { }));`
} as const
