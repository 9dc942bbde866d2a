# Images, and failures to make one, for the cluster tests. No inputs, no
# nixpkgs: assemble.sh puts `busybox`, `revision` and `network-target` beside
# this file.
{
  outputs = { self }:
    let
      # A directory of its own, so that a new revision does not change its path;
      # busybox knows its applets only when called by exactly that name.
      tools = builtins.path {
        name = "tools";
        path = ./.;
        filter = path: type: builtins.elem (baseNameOf path) [ "busybox" "mkimage.sh" ];
      };
      line = file: builtins.replaceStrings [ "\n" ] [ "" ] (builtins.readFile file);
      revision = line ./revision;
      networkTarget = line ./network-target;

      packagesFor = system: architecture:
        let
          run = name: environment: script: derivation ({
            inherit name system tools architecture;
            builder = "${tools}/busybox";
            args = [ "sh" "-euc" ". $tools/mkimage.sh; ${script}" ];
          } // environment);

          # The form of nixpkgs' streamLayeredImage: an executable file that
          # writes a docker-archive to its standard output.
          stream = name: script: run name {
            text = ''
              #!${tools}/busybox sh
              set -eu
              tools=${tools} architecture=${architecture} revision=${revision} networkTarget=${networkTarget}
              . $tools/mkimage.sh
              ${script}
              base; app; archive base.tar app.tar
            '';
          } ''printf %s "$text" > $out; chmod +x $out'';

          baseLayer = run "base-layer" { } "base; cp base.tar $out";
        in
        {
          hello = run "hello.tar" { inherit revision; } "base; app; archive base.tar app.tar > $out";
          hello-gz = run "hello.tar.gz" { inherit revision; } "base; app; archive base.tar app.tar | gzip > $out";
          hello-stream = stream "stream-hello" "";
          two-layer = run "two-layer.tar"
            {
              inherit baseLayer;
              appLayer = run "app-layer" { inherit revision; } "app; cp app.tar $out";
            } "cp $baseLayer base.tar; cp $appLayer app.tar; archive base.tar app.tar > $out";
          big = run "big.tar" { } "base; big; archive base.tar big.tar > $out";
          wrong-arch = run "wrong-arch.tar" { architecture = "s390x"; } "echo 'making an image for s390x'; base; archive base.tar > $out";
          trunc-tar = run "trunc.tar" { } "echo 'making half an archive'; base; archive base.tar > whole; head -c 1000000 whole > $out";
          not-an-image = run "not-an-image" { } "echo 'making a text'; echo 'just a text' > $out";
          directory = run "directory" { } "mkdir $out; echo 'just a text' > $out/file";

          # What no image may hold or be, each with a line in the log that tells them apart.
          device-node = run "device-node.tar" { } "echo 'making a device'; base; hostile dev/mem 0000644 3; archive base.tar hostile.tar > $out";
          setuid = run "setuid.tar" { } "echo 'making su'; base; hostile bin/su 0004755 0; archive base.tar hostile.tar > $out";
          climbing = run "climbing.tar" { } "echo 'making dots'; base; hostile ../../etc/cron.d/x 0000644 0; archive base.tar hostile.tar > $out";
          wrong-diff-id = run "wrong-diff-id.tar" { } "echo 'making another id'; base; idsFrom=$tools/mkimage.sh; archive base.tar > $out";
          reserved-label = run "reserved-label.tar"
            { configMore = '',"Labels":{"containerd.io/restart.loguri":"binary:///bin/busybox?touch=/tmp/x"}''; }
            "echo 'making a label'; base; archive base.tar > $out";
          user-overflow = run "user-overflow.tar" { configMore = '',"User":"4294967296"''; } "echo 'making a user'; base; archive base.tar > $out";
          open-folder = run "open-folder.tar" { configMore = '',"WorkingDir":"/proc/self/fd/8"''; } "echo 'making a folder'; base; archive base.tar > $out";
          many-layers = run "many-layers.tar" { revision = "many"; } "echo 'making layers'; app; archive $(yes app.tar | head -n 128) > $out";
          foreign-tags = run "foreign-tags.tar"
            { inherit revision; repoTags = ''["docker.io/library/nginx:latest","registry.k8s.io/pause:3.10"]''; }
            "base; app; archive base.tar app.tar > $out";
          no-tags = run "no-tags.tar" { inherit revision; repoTags = "null"; } "base; app; archive base.tar app.tar > $out";

          fail = run "fail" { } "echo 'the compiler says no'; exit 3";
          # Its words are those of other failures.
          words = run "words" { } "echo 'error: unable to download x: No space left on device'; echo 'hash mismatch in x; pivot_root'; exit 3";
          # Doubles what it holds until somebody stops it.
          hungry = run "hungry" { } "echo 'getting hungry'; awk 'BEGIN { x = \"x\"; while (1) x = x x }'";
          hang = run "hang" { } "echo 'about to hang'; sleep 1000000";
          # Until it is told to go on, other Pods can start and collect what this one still needs: its tools.
          slow = run "slow.tar" { } "trap told=1 USR1; told=; echo 'slow begins'; until test $told; do sleep 1; done; base; archive base.tar > $out";
          # 100 MB of log, then a failure whose words are its last.
          huge-log = run "huge-log" { } "line=$(head -c 999 /dev/zero | tr '\\0' x); yes $line | head -n 100000; echo 'the end of a long log'; exit 3";
          eval-throw = throw "this package throws when it is evaluated";
          hash-mismatch = run "hash-mismatch"
            { outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "expected"; }
            "echo 'something else' > $out";

          # These make an image when nothing stops them, and fail when the sandbox does.
          try-network = run "try-network.tar" { inherit networkTarget; } "network; base; archive base.tar > $out";
          try-outside = run "try-outside.tar" { } "outside; base; archive base.tar > $out";
          stream-network = stream "stream-network" "network";
          stream-outside = stream "stream-outside" "outside";
        };
    in
    {
      packages = builtins.mapAttrs packagesFor { x86_64-linux = "amd64"; aarch64-linux = "arm64"; };
    };
}
