{
  outputs = { self }: {
    packages.x86_64-linux.hello = = "one sign too many";
  };
}
