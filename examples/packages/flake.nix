# A package set in the form of nixpkgs that builds without the internet: each
# package is a few scripts around busybox. `dockerTools` takes exactly the
# arguments that nixpkgs' own takes.
{
  outputs = { self }: {
    legacyPackages = builtins.listToAttrs (map
      (system: { name = system; value = import ./. { inherit system; }; })
      [ "x86_64-linux" "aarch64-linux" ]);
  };
}
