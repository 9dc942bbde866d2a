/** What may not leave the cluster in a record or recording. */
import { assert, describe, it } from "@effect/vitest"
import { redact } from "../lib/runtime/redact.ts"

const secret = "xyzzyxyzzyxyzzyxyzzy"

const cases: Record<string, readonly [unknown, unknown]> = {
  "the data of a Secret": [
    { kind: "Secret", metadata: { name: "a" }, data: { key: secret }, stringData: { other: secret } },
    { kind: "Secret", metadata: { name: "a" }, data: { key: "…" }, stringData: { other: "…" } }
  ],
  "the data of an event about a Secret": [
    { type: "dev.knative.apiserver.resource.add", kind: "Secret", data: { kind: "Secret", data: { key: secret } } },
    { type: "dev.knative.apiserver.resource.add", kind: "Secret", data: { kind: "…", data: "…" } }
  ],
  "the values of environment variables": [
    {
      containers: [
        {
          env: [
            { name: "A", value: secret },
            { name: "B", valueFrom: { secretKeyRef: { name: "b" } } }
          ]
        }
      ]
    },
    {
      containers: [
        {
          env: [
            { name: "A", value: "…" },
            { name: "B", valueFrom: { secretKeyRef: { name: "b" } } }
          ]
        }
      ]
    }
  ],
  "other people's annotations": [
    { annotations: { "kubectl.kubernetes.io/last-applied-configuration": secret, "enbi.hrzn.ee/retry": "1" } },
    { annotations: { "enbi.hrzn.ee/retry": "1" } }
  ],
  "who wrote which field, and what is in bytes": [{ a: { managedFields: [{}] }, data_base64: "AAAA" }, { a: {} }],
  "a GitHub token, wherever it stands": [[`--with ghp_${secret}`], ["--with ghp_…"]],
  "a GitLab token": [`glpat-${secret} is used`, "glpat-… is used"],
  "the token of a ServiceAccount": [`eyJhbGciOiJSUzI1.eyJ${secret}.${secret}`, "eyJhbGciOiJSUzI1.eyJ…"],
  "a private key": [
    `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n-----END RSA`,
    "-----BEGIN RSA PRIVATE KEY-----…-----END RSA"
  ],
  "no secret": [
    { number: 1, none: null, is: true, log: "ghc_9_6 at /nix/store/kcrrnfhnc9w5jxnwm8ra2zfi9iq17wdz-hello.tar" },
    { number: 1, none: null, is: true, log: "ghc_9_6 at /nix/store/kcrrnfhnc9w5jxnwm8ra2zfi9iq17wdz-hello.tar" }
  ]
}

describe("redact", () => {
  for (const [what, [value, redacted]] of Object.entries(cases)) {
    it(`${what === "no secret" ? "leaves" : "takes out"} ${what}`, () =>
      assert.deepStrictEqual(redact(value), redacted))
  }
})
