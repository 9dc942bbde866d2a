/** Authorities of one's own, in what Nix and the programs that it runs are told. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { answers, run, withNix } from "./program.ts"

const services = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices>) =>
  Effect.provide(effect, NodeServices.layer)

const company = "-----BEGIN CERTIFICATE-----\ncompany\n-----END CERTIFICATE-----"

const toldWith = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
  const fs = yield* FileSystem.FileSystem
  const made = yield* withNix("exit 1", {
    metadata: `env > \${CACHE}/told; cp "\${GIT_SSL_CAINFO:-/dev/null}" \${CACHE}/trusted; ${answers.metadata}`
  })
  yield* fs.writeFileString(`${made.root}/usual.crt`, "usual\n")
  yield* run(made.root, 60, { USUAL_CERTIFICATES: `${made.root}/usual.crt`, NIX_CONFIG: "substituters = ", ...env })
  const lines = (yield* fs.readFileString(`${made.root}/told`)).split("\n")
  const told = (name: string) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
  return { lines, told, trusted: yield* fs.readFileString(`${made.root}/trusted`) }
})

describe.concurrent("trust", { timeout: 60_000 }, () => {
  it.live(
    "Nix and git get a file with the usual ones too, a download in the sandbox the place where Nix shows it",
    () =>
      Effect.gen(function* () {
        const { lines, told, trusted } = yield* toldWith({ CA_CERTIFICATES: company, https_proxy: "http://p:3128" })
        assert.strictEqual(trusted, `usual\n${company}\n`)
        assert.include(lines, `ssl-cert-file = ${told("GIT_SSL_CAINFO")}`)
        assert.strictEqual(told("NIX_CONFIG"), "substituters = ", "the first of its lines")
        assert.strictEqual(told("NIX_SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt")
        assert.strictEqual(told("NIX_GIT_SSL_CAINFO"), "/etc/ssl/certs/ca-certificates.crt")
        assert.strictEqual(told("https_proxy"), "http://p:3128")
      }).pipe(Effect.scoped, services)
  )

  it.live("without the sandbox a download sees the file itself", () =>
    Effect.gen(function* () {
      const { told } = yield* toldWith({ CA_CERTIFICATES: company, SANDBOX: "false" })
      assert.match(told("NIX_SSL_CERT_FILE") ?? "", /certificates-.*\/ca-certificates\.crt$/u)
      assert.strictEqual(told("NIX_SSL_CERT_FILE"), told("GIT_SSL_CAINFO"))
    }).pipe(Effect.scoped, services)
  )

  it.live("without any nothing is changed", () =>
    Effect.gen(function* () {
      const { told } = yield* toldWith({})
      assert.isUndefined(told("GIT_SSL_CAINFO"))
      assert.strictEqual(told("NIX_CONFIG"), "substituters = ")
    }).pipe(Effect.scoped, services)
  )
})
