/** What removing a cache volume takes with it, and what it never does. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem } from "effect"
import { volumeName } from "../../jobs/settings.ts"
import { prepareVolume, removeVolume } from "../../jobs/cache/volume.ts"

const name = "0b7a9bd6-9d10-4d0a-8cb7-2f6f6f2b6a11"
const other = "1c7a9bd6-9d10-4d0a-8cb7-2f6f6f2b6a12"

layer(NodeServices.layer)("removing a volume", (it) => {
  // Folders of uid 1000 and read-only folders take root.
  const asRoot = process.getuid?.() === 0 ? it.effect : it.effect.skip

  asRoot("takes a read-only store and what belongs to uid 1000; a second time there is nothing to do", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const volumes = `${yield* fs.makeTempDirectoryScoped()}/volumes`
      yield* prepareVolume({ volumes, name })
      yield* prepareVolume({ volumes, name: other })
      const path = `${volumes}/${name}/store/path/deep`
      yield* fs.makeDirectory(path, { recursive: true })
      yield* fs.writeFileString(`${path}/file`, "x")
      yield* fs.chmod(`${path}/file`, 0o444)
      for (const folder of [path, `${volumes}/${name}/store/path`]) {
        yield* fs.chmod(folder, 0o555)
        yield* fs.chown(folder, 1000, 1000)
      }
      yield* removeVolume({ volumes, name })
      assert.deepStrictEqual(yield* fs.readDirectory(volumes), [other])
      yield* removeVolume({ volumes, name })
      assert.deepStrictEqual(yield* fs.readDirectory(volumes), [other])
    })
  )

  it.effect("follows no link, neither one inside the volume nor one in its place", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const volumes = yield* fs.makeTempDirectoryScoped()
      const outside = yield* fs.makeTempDirectoryScoped()
      yield* fs.writeFileString(`${outside}/file`, "kept")
      yield* fs.makeDirectory(`${volumes}/${name}`)
      yield* fs.symlink(outside, `${volumes}/${name}/store`)
      yield* fs.symlink(outside, `${volumes}/${other}`)
      yield* removeVolume({ volumes, name })
      yield* removeVolume({ volumes, name: other })
      assert.deepStrictEqual(yield* fs.readDirectory(volumes), [])
      assert.strictEqual(yield* fs.readFileString(`${outside}/file`), "kept")
    })
  )

  it.effect("is told which by a UUID and nothing else", () =>
    Effect.gen(function* () {
      const read = (value: string) => volumeName.parse(ConfigProvider.fromUnknown({ VOLUME_NAME: value }))
      assert.strictEqual(yield* read(name), name)
      for (const bad of [
        "",
        ".",
        "..",
        "/",
        "*",
        `${name}/..`,
        `../${name}`,
        `${name}\n`,
        name.toUpperCase(),
        "a-b-c"
      ]) {
        yield* Effect.flip(read(bad))
      }
    })
  )
})
