# A flake that asks for a folder of whatever machine evaluates it.
{
  inputs.host = { url = "path:/var/run"; flake = false; };
  outputs = { self, host }: {
    packages.x86_64-linux.hello =
      throw "/var/run holds: ${builtins.concatStringsSep " " (builtins.attrNames (builtins.readDir host))}.";
  };
}
