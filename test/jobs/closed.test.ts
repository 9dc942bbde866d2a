/** What a build says of hosts whose addresses it may not reach, and when. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { classify } from "../../jobs/build/classify.ts"
import { allClosed, askedFor, closedWords, withClosed } from "../../jobs/build/closed.ts"
import { failureWith, saidBy } from "./failure.ts"
import { run, withNix } from "./program.ts"
import { recorded } from "./recorded.ts"

const direct = { http: "", https: "", none: "" }
const proxied = { http: "http://10.0.0.9:3128", https: "http://proxy.example.org:3128", none: ".inside.org, exact.org" }
const loopback = { closedCidrs: ["127.0.0.0/8", "::1/128"], proxies: direct }

describe("who is asked", () => {
  for (const [url, proxies, host] of [
    ["github:a/b", direct, "github.com"],
    ["gitlab:a/b?host=git.example.org", direct, "git.example.org"],
    ["sourcehut:~a/b", direct, "git.sr.ht"],
    ["https://example.org/x.tar.gz", direct, "example.org"],
    ["tarball+http://example.org:8080/x", direct, "example.org"],
    ["git+ssh://git@example.org/x", direct, "example.org"],
    ["git+https://[fd00::1]:8443/x", direct, "fd00::1"],
    ["github:a/b", proxied, "proxy.example.org"],
    ["http://example.org/x", proxied, "10.0.0.9"],
    ["https://a.inside.org/x", proxied, "a.inside.org"],
    ["https://inside.org/x", proxied, "inside.org"],
    ["https://notinside.org/x", proxied, "proxy.example.org"],
    ["https://exact.org/x", proxied, "exact.org"],
    ["git+ssh://git@example.org/x", proxied, "example.org"],
    ["https://example.org/x", { ...proxied, none: "*" }, "example.org"],
    ["nothing", direct, undefined]
  ] as const) {
    it(`${url}${proxies === direct ? "" : ", with proxies"}: ${host}`, () =>
      assert.strictEqual(askedFor(proxies, url)?.host, host))
  }
})

describe("what is said", () => {
  it.live("the range and the settings, of an address, a name and a proxy", () =>
    Effect.gen(function* () {
      const address = yield* closedWords(loopback, "https://127.0.0.1:8443/x")
      assert.match(address ?? "", /^127\.0\.0\.1 is in 127\.0\.0\.0\/8, .*build-egress=open.*BUILD_CLOSED_CIDRS/u)
      const name = yield* closedWords(loopback, "https://localhost/x")
      assert.match(name ?? "", /^localhost has the address (?:127\.0\.0\.1|::1), in /u)
      const proxies = { ...direct, https: "http://127.0.0.1:3128" }
      const proxy = yield* closedWords({ ...loopback, proxies }, "github:a/b")
      assert.match(proxy ?? "", /^the proxy 127\.0\.0\.1 is in/u)
    })
  )

  it("nothing of a host that has an open address too", () => {
    assert.deepStrictEqual(allClosed(["10.0.0.0/8"], ["10.0.0.1", "10.0.0.2"]), {
      address: "10.0.0.1",
      range: "10.0.0.0/8"
    })
    assert.isUndefined(allClosed(["10.0.0.0/8"], ["10.0.0.1", "203.0.113.1"]))
    assert.isUndefined(allClosed(["10.0.0.0/8"], []))
  })

  it.live("nothing of an open address, of none, and where nothing is closed", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* closedWords({ ...loopback, closedCidrs: ["10.0.0.0/8"] }, "https://127.0.0.1/x"))
      assert.isUndefined(yield* closedWords(loopback, "https://nohost.invalid/x"))
      assert.isUndefined(yield* closedWords({ ...loopback, closedCidrs: [] }, "https://127.0.0.1/x"))
    })
  )
})

describe("a fetch that failed", () => {
  const told = (name: string, closed = loopback) => {
    const { exitCode, log, step } = recorded(name)
    const findings = { isDiskFull: false, isOutOfMemory: false, isDownload: false }
    return withClosed(closed, classify(step, { exitCode, log }, findings), log)
  }

  it.live("is one of a closed address where Nix names one: it is not tried again", () =>
    Effect.gen(function* () {
      for (const name of ["lock https://127.0.0.1:1/x.tar.gz", "lock git+ssh://git@127.0.0.1:1/x"]) {
        const { message, reason } = yield* told(name)
        assert.strictEqual(reason, "AddressClosed", name)
        assert.match(message, /127\.0\.0\.1 is in 127\.0\.0\.0\/8.*BUILD_CLOSED_CIDRS/u)
      }
    })
  )

  it.live("stays what it is where the address is open", () =>
    Effect.gen(function* () {
      const { message, reason } = yield* told("lock https://127.0.0.1:1/x.tar.gz", { ...loopback, closedCidrs: [] })
      assert.strictEqual(reason, "FetchFailed")
      assert.notInclude(message, "BUILD_CLOSED_CIDRS")
    })
  )

  it.live("stays what it is where somebody answered", () =>
    Effect.gen(function* () {
      const log = saidBy(
        "unable to download '\u001b[35;1mhttps://127.0.0.1/x\u001b[0m': HTTP error \u001b[35;1m404\u001b[0m"
      )
      const { failure } = failureWith("FetchFailed")
      assert.strictEqual(yield* withClosed(loopback, failure, log), failure)
    })
  )
})

it.live("a build's log that names one adds a remark, and decides nothing", () =>
  Effect.gen(function* () {
    const { failure, log } = failureWith("FetchFailed", "curl: (28) Failed to connect to http://127.0.0.1/x.tar.gz")
    const { message, reason } = yield* withClosed(loopback, failure, log)
    assert.strictEqual(reason, "FetchFailed")
    assert.match(message, /Possible cause: 127\.0\.0\.1 is in/u)
    const other = failureWith("BuildFailed", "see http://127.0.0.1/x.tar.gz")
    assert.strictEqual(yield* withClosed(loopback, other.failure, other.log), other.failure)
  })
)

describe.concurrent("the build Job's program", { timeout: 60_000 }, () => {
  const asking = { CLOSED_CIDRS: "127.0.0.0/8 ::1/128" }

  it.live("says so before it asks Nix", () =>
    Effect.gen(function* () {
      const { root } = yield* withNix("", { metadata: "exit 77" })
      const { result } = yield* run(root, 60, { ...asking, FLAKE_URL: "https://localhost/x.tar.gz" })
      assert.deepInclude(result, { outcome: "Failed", reason: "AddressClosed" })
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("lets Nix look whether it has what a revision names", () =>
    Effect.gen(function* () {
      const { root } = yield* withNix("exit 1")
      const rev = "f5d531177a7330e9b270c15cca5df0eb72b8684c"
      const { result } = yield* run(root, 60, { ...asking, FLAKE_URL: `git+https://localhost/x?rev=${rev}` })
      assert.notInclude(JSON.stringify(result), "AddressClosed")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
