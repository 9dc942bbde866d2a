/** Which Pods a NetworkPolicy holds, by Kubernetes' rules, and which our own lets where. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { holdsEgress, NetworkPolicy } from "../lib/kubernetes/network-policy.ts"
import { makeEgressPolicy } from "../lib/api/egress.ts"

const labels = { app: "a", tier: "" }
const read = Schema.decodeUnknownSync(NetworkPolicy)
const policy = (spec: object) => read({ metadata: { name: "p", uid: "u", resourceVersion: "1" }, spec })
const expression = (key: string, operator: string, ...values: ReadonlyArray<string>) => ({
  podSelector: { matchExpressions: [{ key, operator, ...(values.length === 0 ? {} : { values }) }] },
  policyTypes: ["Egress"]
})

describe("a policy", () => {
  for (const [what, spec, holds] of [
    ["all Pods", { podSelector: {}, policyTypes: ["Egress"] }, true],
    ["all Pods, without a selector", { policyTypes: ["Ingress", "Egress"] }, true],
    ["all Pods, what comes in", { podSelector: {}, policyTypes: ["Ingress"] }, false],
    ["all Pods, without types and rules", { podSelector: {} }, false],
    ["all Pods, without types, with a rule", { podSelector: {}, egress: [{}] }, true],
    ["a label", { podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Egress"] }, true],
    ["another value", { podSelector: { matchLabels: { app: "b" } }, policyTypes: ["Egress"] }, false],
    ["one label of two", { podSelector: { matchLabels: { app: "a", x: "y" } }, policyTypes: ["Egress"] }, false],
    ["In", expression("app", "In", "b", "a"), true],
    ["In others", expression("app", "In", "b"), false],
    ["In, without the label", expression("x", "In", "a"), false],
    ["NotIn", expression("app", "NotIn", "b"), true],
    ["NotIn, without the label", expression("x", "NotIn", "b"), true],
    ["NotIn its own", expression("app", "NotIn", "a"), false],
    ["Exists, of an empty value", expression("tier", "Exists"), true],
    ["Exists, without the label", expression("x", "Exists"), false],
    ["DoesNotExist", expression("x", "DoesNotExist"), true],
    ["DoesNotExist, of an empty value", expression("tier", "DoesNotExist"), false]
  ] as const) {
    it(`${what}: ${holds ? "holds" : "does not hold"} the Pod`, () =>
      assert.strictEqual(holdsEgress(policy(spec), labels), holds))
  }
})

describe("the policy of builds", () => {
  const rulesOf = (...closedCidrs: ReadonlyArray<string>) =>
    makeEgressPolicy({ closedCidrs, namespace: "apps" }).spec.egress.slice(1)

  it("leaves out of each family what is closed there, and of IPv6 what NAT64 makes of IPv4", () =>
    assert.deepStrictEqual(rulesOf("10.0.0.0/8", "fc00::/7"), [
      {
        to: [
          { ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] } },
          { ipBlock: { cidr: "::/0", except: ["fc00::/7", "64:ff9b::a00:0/104"] } }
        ]
      }
    ]))

  it("says nothing of a family of which nothing is closed", () =>
    assert.deepStrictEqual(rulesOf("fc00::/7")[0]?.to?.[0], { ipBlock: { cidr: "0.0.0.0/0" } }))

  // Kubernetes wants an exception to be smaller than its range, and takes a rule to nowhere for one to everywhere.
  it("has no rule for a family that is closed, and none at all when both are", () => {
    assert.deepStrictEqual(rulesOf("::/0"), [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }])
    assert.deepStrictEqual(rulesOf("0.0.0.0/0", "::/0"), [])
  })
})
