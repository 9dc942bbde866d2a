/** The image of a NixImage as a flake, which `nix build` takes anywhere. */
import type { ImageRequest } from "../../lib/api/image-request.ts"
import type { System } from "../../lib/api/nixbuild.ts"
import { bindings, contentOf, nixString } from "../../lib/nixbuild/image-expression.ts"

export interface Asked {
  readonly request: ImageRequest
  /** A flake with legacyPackages. */
  readonly packages: string
  readonly systems: ReadonlyArray<System>
}

/** A value as Nix reads it: the texts in it are data. */
export const nixValue = (value: unknown): string => {
  if (typeof value === "string") return nixString(value)
  if (Array.isArray(value)) return ["[", ...value.map(nixValue), "]"].join(" ")
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return ["{", ...Object.entries(value).map(([name, one]) => `${nixString(name)} = ${nixValue(one)};`), "}"].join(" ")
}

export const flakeOf = ({
  packages,
  request,
  systems
}: Asked): string => `# An image: nix build && ./result | docker load
{
  inputs.nixpkgs.url = ${nixString(packages)};

  outputs = { nixpkgs, ... }:
  let
    request = {
      ${Object.entries(contentOf(request))
        .map(([name, value]) => `${name} = ${nixValue(value)};`)
        .join("\n      ")}
    };

    imageFor = system:
      let
        packageSet = nixpkgs.legacyPackages.\${system};
        ${deeper(bindings.packages)}
        contents = map (builtins.foldl' (set: name: set.\${name}) packages) request.contents;
        ${deeper(bindings.image)}
      in
      image;
  in
  {
    ${systems.map((system) => `packages.${system}.default = imageFor ${nixString(system)};`).join("\n    ")}
  };
}`

const deeper = (text: string): string => text.replaceAll("\n", "\n    ")
