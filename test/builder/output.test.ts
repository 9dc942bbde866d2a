import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Option } from "effect"
import { gzipSync } from "node:zlib"
import { kindOf } from "../../builder/output.ts"
import { prepareVolume } from "../../builder/volume.ts"
import { tar } from "./archives.ts"

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
        return yield* Effect.match(kindOf(path), { onSuccess: (kind) => kind, onFailure: (error) => error.message })
      })
      assert.strictEqual(yield* kindOfFile(archive, 0o444), "archive")
      assert.strictEqual(yield* kindOfFile(gzipSync(archive), 0o444), "archive")
      assert.strictEqual(yield* kindOfFile("#!/nix/store/x/bin/sh\n", 0o555), "stream script")
      assert.match(yield* kindOfFile("#!/nix/store/x/bin/sh\n", 0o444), /script that is not executable/u)
      assert.match(yield* kindOfFile("just a text\n", 0o444), /12 bytes that begins with "just a text"/u)
      assert.match(yield* kindOfFile("", 0o444), /an empty file/u)
      assert.match((yield* Effect.flip(kindOf(directory))).message, /a directory \(file\)/u)
      yield* fs.symlink("/nowhere", `${directory}/link`)
      assert.match((yield* Effect.flip(kindOf(`${directory}/link`))).message, /a symbolic link/u)
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
      assert.match((yield* Effect.flip(prepareVolume({ volumes, name: "a" }))).message, /home is no folder/u)
    })
  )
})
