# An image without nixpkgs, so that it builds without the internet: busybox and
# a page. With nixpkgs this would be dockerTools.streamLayeredImage.
{
  outputs = { self }: {
    packages = builtins.mapAttrs
      (system: architecture: {
        hello = derivation {
          name = "hello.tar";
          inherit system architecture;
          tools = builtins.path { name = "tools"; path = ./.; };
          builder = "${./.}/busybox";
          args = [ "sh" ./make-image.sh ];
        };
      })
      { x86_64-linux = "amd64"; aarch64-linux = "arm64"; };
  };
}
