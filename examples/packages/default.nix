# What `import nixpkgs { … }` is called with.
{ system, config ? { }, overlays ? [ ] }:
let
  # A directory of its own, so that a change of this file does not change its path.
  tools = builtins.path {
    name = "busybox";
    path = ./.;
    filter = path: type: builtins.elem (baseNameOf path) [ "busybox" "layers.sh" ];
  };

  run = name: environment: script: derivation ({
    inherit name system tools script;
    builder = "${tools}/busybox";
    args = [ "sh" "-euc" ''mkdir() { $tools/busybox mkdir "$@"; }; chmod() { $tools/busybox chmod "$@"; }; eval "$script"'' ];
  } // environment);

  # One program: a script that hands over to a busybox of the store.
  program = name: body: run name
    { text = "#!${tools}/busybox sh\n${body}\n"; inherit name; }
    ''mkdir -p $out/bin; printf %s "$text" > $out/bin/$name; chmod +x $out/bin/$name'';
  applets = name: names: run name
    { inherit names; }
    ''mkdir -p $out/bin; for applet in $names; do printf '#!%s/busybox sh\nexec %s/busybox %s "$@"\n' $tools $tools $applet > $out/bin/$applet; chmod +x $out/bin/$applet; done'';
  file = name: path: text: run name { inherit path text; }
    ''mkdir -p $out/''${path%/*}; printf %s "$text" > $out/$path'';
  shell = program "bash" ''exec ${tools}/busybox sh "$@"'';

  extend = packages: builtins.foldl'
    (set: overlay: let final = set // overlay final set; in final)
    packages
    overlays;
in
extend {
  # nixpkgs' own have these too.
  path = ./.;
  inherit system config;
  lib.version = "26.11";

  curl = program "curl" ''echo "curl of ${system}"; [ $# = 0 ] || exec ${tools}/busybox wget -q -O - "$@"'';
  jq = program "jq" ''echo "jq of ${system}"'';
  git = program "git" ''echo "git of ${system}"'';
  htop = program "htop" ''echo "htop of ${system}"'';
  bash = shell;
  bashInteractive = shell;
  coreutils = applets "coreutils" "cat chmod cp echo env id ls mkdir mv rm sleep stat test touch true";
  moreutils = program "sponge" "cat";
  nano = program "nano" ''exec ${tools}/busybox vi "$@"'';
  cacert = file "cacert" "etc/ssl/certs/ca-bundle.crt" "no authority\n";
  iana-etc = file "iana-etc" "etc/protocols" "tcp 6 TCP\n";
  _7zz = program "7zz" ''echo "7zz of ${system}"'';
  python3Packages.requests = file "requests" "lib/python3/site-packages/requests/__init__.py" "\n";
  haskellPackages = {
    ShellCheck = program "ShellCheck" "echo ShellCheck";
    shellCheck = program "shellCheck" "echo shellCheck";
  };
  nodePackages."@angular/cli" = program "ng" "echo ng";
  neovim = program "nvim" "echo nvim";
  callPackage = path: path;

  broken = throw "Package ‘broken-1.0’ is marked as broken, refusing to evaluate.";
  vim_configurable = throw "'vim_configurable' has been renamed to/replaced by 'neovim'";
  unrar =
    if config.allowUnfree or false then program "unrar" "echo unrar"
    else throw "Package ‘unrar-7.1’ has an unfree license (‘unfreeRedistributable’), refusing to evaluate.";
  failing = run "failing" { } "echo 'the compiler says no'; exit 3";

  dockerTools = rec {
    binSh = run "bin-sh" { } "mkdir -p $out/bin; $tools/busybox ln -s $tools/busybox $out/bin/sh";
    usrBinEnv = run "usr-bin-env" { } ''
      mkdir -p $out/usr/bin; printf '#!%s/busybox sh\nexec %s/busybox env "$@"\n' $tools $tools > $out/usr/bin/env; chmod +x $out/usr/bin/env
    '';
    caCertificates = run "ca-certificates" { bundle = file "cacert" "etc/ssl/certs/ca-bundle.crt" "no authority\n"; } ''
      mkdir -p $out/etc/ssl/certs
      for name in ca-bundle.crt ca-certificates.crt; do $tools/busybox ln -s $bundle/etc/ssl/certs/ca-bundle.crt $out/etc/ssl/certs/$name; done
    '';
    fakeNss = run "fake-nss" { } ''
      mkdir -p $out/etc
      printf 'root:x:0:0:root user:/var/empty:/bin/sh\nnobody:x:65534:65534:nobody:/var/empty:/bin/sh\n' > $out/etc/passwd
      printf 'root:x:0:\nnobody:x:65534:\n' > $out/etc/group
    '';
    streamLayeredImage =
      { name, tag ? null, fromImage ? null, contents ? [ ], config ? { }
      , architecture ? { x86_64-linux = "amd64"; aarch64-linux = "arm64"; }.${system}
      , created ? "1970-01-01T00:00:01Z", mtime ? "1970-01-01T00:00:01Z"
      , uid ? 0, gid ? 0, uname ? "root", gname ? "root", maxLayers ? 100
      , extraCommands ? "", fakeRootCommands ? "", enableFakechroot ? false
      , includeStorePaths ? true, includeNixDB ? false, passthru ? { }
      , layeringPipeline ? null, debug ? false
      }:
      let
        paths = if builtins.isList contents then contents else [ contents ];
        layers = derivation {
          name = "${name}-layers";
          inherit system tools architecture created extraCommands maxLayers;
          contents = paths;
          config = builtins.toJSON config;
          # Names and paths in turn: for each a file that lists what the path refers to.
          exportReferencesGraph = builtins.concatLists
            (builtins.genList (n: [ "graph-${toString n}" (builtins.elemAt paths n) ]) (builtins.length paths));
          builder = "${tools}/busybox";
          args = [ "sh" "-euc" ". $tools/layers.sh" ];
        };
      in
      run "stream-${name}"
        { text = "#!${tools}/busybox sh\ncd ${layers} && exec ${tools}/busybox tar -cf - *\n"; }
        ''printf %s "$text" > $out; chmod +x $out'';
    buildLayeredImage = { name, compressor ? "gz", ... }@arguments:
      run "${name}.tar" { stream = streamLayeredImage (removeAttrs arguments [ "compressor" ]); } "$stream > $out";
  };
}
