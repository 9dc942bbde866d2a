/** What an image's configuration may say: it is a build's wish that containerd takes for truth. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { readConfig } from "../../lib/oci/config.ts"
import { convert } from "../../lib/oci/layout.ts"
import { archiveOf, withArchive } from "./archives.ts"

const plain = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] } }
const withConfig = (config: object) => JSON.stringify({ ...plain, config })
const label = (name: string) => withConfig({ Labels: { [name]: "binary:///bin/sh?-c=id" } })
const spliced = (json: string) => JSON.stringify(plain).replace(/\}$/u, `,${json}}`)
const megabyte = "x".repeat(1024 ** 2)

const rows: ReadonlyArray<readonly [string, string, "fine" | RegExp, string?]> = [
  ["nothing but the layers", JSON.stringify(plain), "fine"],
  ["config null", JSON.stringify({ ...plain, config: null }), "fine"],
  ["all of it null", withConfig({ Env: null, Entrypoint: null, Cmd: null, Labels: null }), "fine"],
  ["the usual", withConfig({ User: "app:1000", WorkingDir: "/srv/app", Env: ["PATH=/bin"], Cmd: ["/bin/sh"] }), "fine"],
  ["an ordinary label", label("org.opencontainers.image.source"), "fine"],
  ["labels that differ in case", withConfig({ Labels: { user: "1", User: "2" } }), "fine"],
  ["reserved words as a value", withConfig({ Labels: { note: 'x"containerd.io/y":' } }), "fine"],
  ["containerd's label", label("containerd.io/restart.loguri"), /reserved/u],
  ["containerd's label in capitals", label("Containerd.IO/restart.loguri"), /reserved/u],
  ["containerd's annotation", label("io.containerd.image.name"), /reserved/u],
  ["CRI's label", label("io.cri-containerd.kind"), /reserved/u],
  ["a label by escapes", label("containerd.io/x").replace("containerd", "\\u0063ontainerd"), /reserved/u],
  ["labels in small letters", withConfig({ labels: { "containerd.io/x": "" } }), /reserved/u],
  ["labels in Docker's second place", spliced('"container_config":{"Labels":{"containerd.io/x":""}}'), /reserved/u],
  ["a key twice", spliced('"config":{"User":"4294967296"},"config":{}'), /config is given twice/u],
  ["a key twice by escapes", spliced('"config":{},"\\u0063onfig":{}'), /config is given twice/u],
  ["a field twice in two spellings", withConfig({ User: "app", user: "4294967296" }), /User is given twice/u],
  ["a field in another case", withConfig({ user: "4294967296" }), /the user/u],
  ["a field with the long s", withConfig({ "u\u017fer": "4294967296" }), /the user/u],
  ["a field with a ligature, which Go does not fold", spliced('"con\ufb01g":{"User":"4294967296"}'), "fine"],
  ["the largest id", withConfig({ User: "2147483647:2147483647" }), "fine"],
  ["an id too large", withConfig({ User: "2147483648" }), /the user/u],
  ["root by overflow", withConfig({ User: "4294967296" }), /the user/u],
  ["root's group by overflow", withConfig({ User: "1000:4294967296" }), /the user/u],
  ["more digits than a number has", withConfig({ User: "9".repeat(400) }), /the user/u],
  ["a negative id", withConfig({ User: "-1" }), /the user/u],
  ["an id with a sign", withConfig({ User: "+1" }), /the user/u],
  ["three ids", withConfig({ User: "1:2:3" }), /the user/u],
  ["a user that is none", withConfig({ User: "../root" }), /the user/u],
  ["a user of another type", withConfig({ User: 0 }), /not valid at this place of an image/u, "NotAnImage"],
  ["runc's open folder", withConfig({ WorkingDir: "/proc/self/fd/8" }), /working directory/u],
  ["the same with detours", withConfig({ WorkingDir: "/./a/..//proc/self/fd/8" }), /working directory/u],
  ["the same through /dev", withConfig({ WorkingDir: "//dev/fd/8" }), /working directory/u],
  ["a relative folder", withConfig({ WorkingDir: "srv" }), /working directory/u],
  ["a folder called like it", withConfig({ WorkingDir: "/processes" }), "fine"],
  ["a variable that no exec takes", withConfig({ Env: [`A=${megabyte.slice(0, 140_000)}`] }), /over 131071 bytes/u],
  ["a NUL in an argument", withConfig({ Entrypoint: ["/bin/sh\0"] }), /NUL/u],
  ["a megabyte of variables", withConfig({ Env: [`A=${megabyte}`] }), /1048576 allowed/u, "ImageTooLarge"],
  ["an argument that is no text", withConfig({ Cmd: [1] }), /not valid at this place of an image/u, "NotAnImage"],
  ["no JSON", "{", /not valid at this place of an image/u, "NotAnImage"]
]

layer(NodeServices.layer)("a configuration", (it) => {
  for (const [name, text, expected, reason = "ForbiddenContent"] of rows) {
    it.effect(`with ${name}: ${expected === "fine" ? "fine" : reason}`, () =>
      Effect.gen(function* () {
        const outcome = yield* Effect.match(readConfig("The configuration", new TextEncoder().encode(text)), {
          onSuccess: () => ({ reason: "fine", message: "" }),
          onFailure: ({ code, message }) => ({ reason: code, message })
        })
        assert.strictEqual(outcome.reason, expected === "fine" ? "fine" : reason)
        if (expected !== "fine") assert.match(outcome.message, expected)
        assert.isBelow(outcome.message.length, 500)
      })
    )
  }

  it.effect("is checked while an archive is converted", () =>
    Effect.gen(function* () {
      const more = { config: { Labels: { "containerd.io/restart.loguri": "binary:///bin/sh" } } }
      const { conversion } = yield* withArchive(yield* archiveOf({ layers: [new Uint8Array(1024)], more }))
      const failure = yield* Effect.flip(convert(conversion))
      assert.strictEqual("code" in failure ? failure.code : "", "ForbiddenContent")
    })
  )
})
