import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Option } from "effect"
import { gzipSync } from "node:zlib"
import { findOutput } from "../../jobs/build/package-kind.ts"
import { prepareVolume } from "../../jobs/cache/volume.ts"
import { tar } from "../oci/archives.ts"

layer(NodeServices.layer)("on disk", (it) => {
  it.effect("tells archives and scripts from everything else, and says what else", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const archive = yield* tar([["file", "content"]])
      const kindOfFile = Effect.fnUntraced(function* (bytes: Uint8Array | string, mode: number) {
        const path = `${directory}/file`
        yield* fs.writeFile(path, Buffer.from(bytes))
        yield* fs.chmod(path, mode)
        return yield* Effect.match(findOutput(path), {
          onSuccess: ({ kind }) => kind,
          onFailure: (error) => error.message
        })
      })
      assert.strictEqual(yield* kindOfFile(archive, 0o444), "archive")
      assert.strictEqual(yield* kindOfFile(gzipSync(archive), 0o444), "archive")
      assert.strictEqual(yield* kindOfFile("#!/nix/store/x/bin/sh\n", 0o555), "stream script")
      assert.match(yield* kindOfFile("#!/nix/store/x/bin/sh\n", 0o444), /script that is not executable/u)
      assert.match(yield* kindOfFile("just a text\n", 0o444), /12 bytes that starts with "just a text"/u)
      assert.match(yield* kindOfFile("", 0o444), /an empty file/u)
      assert.match(yield* kindOfFile(archive.subarray(0, 500), 0o444), /a file of 500 bytes/u)
      // A tar older than POSIX has no magic number.
      const old = Buffer.from(archive)
      const sum = old.subarray(257, 265).reduce((total, byte) => total + byte, 0)
      old.fill(0, 257, 265)
      const before = Number.parseInt(old.toString("latin1", 148, 154), 8)
      old.write((before - sum).toString(8).padStart(6, "0"), 148, "latin1")
      assert.strictEqual(yield* kindOfFile(old, 0o444), "archive")
      assert.match((yield* Effect.flip(findOutput(directory))).message, /a directory \(file\)/u)
      yield* fs.makeDirectory(`${directory}/layout`)
      yield* fs.writeFileString(`${directory}/layout/oci-layout`, "{}")
      assert.strictEqual((yield* findOutput(`${directory}/layout`)).kind, "archive")
    })
  )

  it.effect("follows a package that is a link within the store, and no other", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const parent = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
      const store = `${parent}/store`
      yield* fs.makeDirectory(`${store}/image/share`, { recursive: true })
      yield* fs.writeFile(`${store}/image/share/image.tar`, yield* tar([["file", "content"]]))
      yield* fs.writeFile(`${store}/stream`, Buffer.from("#!/bin/sh\n"), { mode: 0o555 })
      yield* fs.writeFile(`${parent}/outside.tar`, yield* tar([["file", "content"]]))
      const find = Effect.fnUntraced(function* (target: string) {
        yield* fs.remove(`${store}/link`, { force: true })
        yield* fs.symlink(target, `${store}/link`)
        return yield* Effect.match(findOutput(`${store}/link`), {
          onSuccess: ({ kind, path }) => `${kind} ${path.slice(store.length)}`,
          onFailure: (error) => ("reason" in error ? `${String(error.reason)}: ${error.message}` : "none")
        })
      })
      assert.strictEqual(yield* find(`${store}/image/share/image.tar`), "archive /image/share/image.tar")
      assert.strictEqual(yield* find("image/share/image.tar"), "archive /image/share/image.tar")
      assert.strictEqual(yield* find(`${store}/stream`), "stream script /stream")
      yield* fs.symlink(`${store}/image/share/image.tar`, `${store}/again`)
      assert.strictEqual(yield* find(`${store}/again`), "archive /image/share/image.tar")
      assert.match(yield* find(`${store}/image`), /^NotAnImage: The package built a directory \(share\)/u)
      assert.match(yield* find(`${store}/gone`), /^NotAnImage: .* a symbolic link to .*gone, which does not exist/u)
      assert.match(yield* find("link"), /^NotAnImage: .* which does not exist/u)
      assert.match(yield* find(`${parent}/outside.tar`), /^NotAnImage: .*outside\.tar, which is not in the Nix store/u)
      assert.match(yield* find("../outside.tar"), /^NotAnImage: .* which is not in the Nix store/u)
      assert.match(yield* find("/etc/passwd"), /^NotAnImage: .* \/etc\/passwd, which is not in the Nix store/u)
    })
  )

  // Giving folders to uid 1000 takes root.
  const asRoot = process.getuid?.() === 0 ? it.effect : it.effect.skip
  asRoot("makes a volume's folders, mends what a crash left, and follows no link a build left there", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const volumes = `${yield* fs.makeTempDirectoryScoped()}/volumes`
      yield* prepareVolume({ volumes, name: "a" })
      assert.strictEqual((yield* fs.stat(volumes)).mode & 0o777, 0o700)
      const look = (folder: string) =>
        Effect.map(fs.stat(`${volumes}/a/${folder}`), ({ gid, mode, uid }) => [uid, gid, mode & 0o777])
      const folders = ["", "store", "var", "var/nix", "home", "enbi", "enbi/layouts", "enbi/roots"]
      const owners = Effect.forEach(folders, look)
      const expected = folders.map(() => [Option.some(1000), Option.some(1000), 0o755])
      assert.deepStrictEqual(yield* owners, expected)
      yield* fs.writeFileString(`${volumes}/a/store/path`, "kept")
      yield* fs.chown(`${volumes}/a/enbi`, 0, 0)
      yield* prepareVolume({ volumes, name: "a" })
      assert.deepStrictEqual(yield* owners, expected)
      assert.strictEqual(yield* fs.readFileString(`${volumes}/a/store/path`), "kept")

      yield* fs.remove(`${volumes}/a/home`, { recursive: true })
      yield* fs.symlink(yield* fs.makeTempDirectoryScoped(), `${volumes}/a/home`)
      assert.match((yield* Effect.flip(prepareVolume({ volumes, name: "a" }))).message, /home is not a directory/u)
    })
  )
})
