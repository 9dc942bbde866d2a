/** Settings that are refused when the functions start, so that no Job is made with them. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer } from "effect"
import { Settings } from "../lib/api/settings.ts"

const read = (variables: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    return yield* Settings
  }).pipe(
    Effect.provide(
      Settings.layer([]).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ BUILDER_IMAGE: "builder:1", ...variables })))
      )
    )
  )

const certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

describe("settings", () => {
  it.effect("authorities and proxies", () =>
    Effect.gen(function* () {
      const none = yield* read({})
      assert.deepInclude(none, { caCertificates: "", httpProxy: "", httpsProxy: "", noProxy: "" })
      const set = { HTTPS_PROXY: "http://proxy.example.org:3128", NO_PROXY: ".svc", CA_CERTIFICATES: certificate }
      assert.deepInclude(yield* read(set), {
        caCertificates: certificate,
        httpsProxy: set.HTTPS_PROXY,
        noProxy: ".svc"
      })
      yield* read({ CA_CERTIFICATES: "\n", HTTP_PROXY: "http://10.0.0.1:3128/" })
    })
  )

  it.effect("what builds may reach", () =>
    Effect.gen(function* () {
      const usual = yield* read({})
      assert.strictEqual(usual.buildEgress, "public")
      assert.includeMembers(
        [...usual.closedCidrs],
        ["10.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"]
      )
      // Kubernetes sets an empty variable where somebody wrote nothing.
      assert.deepStrictEqual(yield* read({ BUILD_EGRESS: "", BUILD_CLOSED_CIDRS: "" }), usual)
      const set = yield* read({ BUILD_EGRESS: "open", BUILD_CLOSED_CIDRS: " 10.0.0.0/8\n203.0.113.0/24 " })
      assert.deepInclude(set, { buildEgress: "open", closedCidrs: ["10.0.0.0/8", "203.0.113.0/24"] })
    })
  )

  it.effect("a wrong range is named, and how it is written", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read({ BUILD_CLOSED_CIDRS: "fc00::/7 10.1.0.0/8" }))
      assert.include(String(error), "10.1.0.0/8 is written 10.0.0.0/8")
      assert.include(String(error), "BUILD_CLOSED_CIDRS")
    })
  )

  for (const [name, value, why] of [
    ["BUILD_EGRESS", "closed", "neither public nor open"],
    ["BUILD_CLOSED_CIDRS", " ", "nothing would be closed"],
    ["BUILD_CLOSED_CIDRS", "10.0.0.0/8,172.16.0.0/12", "commas"],
    ["HTTPS_PROXY", "http://user:word@proxy.example.org:3128", "a password that all who read Jobs would see"],
    ["HTTP_PROXY", "proxy.example.org:3128", "no URL"],
    ["HTTP_PROXY", "socks5://proxy.example.org:1080", "another protocol"],
    ["CA_CERTIFICATES", "/etc/ssl/company.pem", "a path"],
    [
      "CA_CERTIFICATES",
      `${certificate}-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n`,
      "a private key"
    ],
    ["CA_CERTIFICATES", certificate.repeat(2000), "more than an environment takes"]
  ] as const) {
    it.effect(`${name} is refused: ${why}`, () =>
      Effect.gen(function* () {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(read({ [name]: value }))))
      })
    )
  }
})
