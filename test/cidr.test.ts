/** Ranges of addresses: how they are written, and what is in them. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { behindNat64, Cidr, rangeWith } from "../lib/api/cidr.ts"

const problemIn = (text: string): string => {
  const read = Schema.decodeResult(Cidr)(text)
  return read._tag === "Success" ? "" : String(read.failure)
}

describe("a range", () => {
  for (const text of [
    "10.0.0.0/8",
    "0.0.0.0/0",
    "192.0.2.1/32",
    "fc00::/7",
    "::/0",
    "2001:db8::1/128",
    "64:ff9b::a00:0/104"
  ]) {
    it(`${text} is one`, () => assert.strictEqual(problemIn(text), ""))
  }

  for (const [text, problem] of [
    ["10.0.0.0", "is no range of addresses"],
    ["10.0.0.0/33", "is no range of addresses"],
    ["10.0.0.0/08", "is no range of addresses"],
    ["010.0.0.0/8", "is no range of addresses"],
    ["10.0.0/8", "is no range of addresses"],
    ["fc00::/129", "is no range of addresses"],
    ["fe80::%eth0/10", "is no range of addresses"],
    ["example.org/8", "is no range of addresses"],
    ["10.0.0.0/8,fc00::/7", "is no range of addresses"],
    ["10.1.2.3/8", "is written 10.0.0.0/8"],
    ["FC00::/7", "is written fc00::/7"],
    ["fc00:0::/7", "is written fc00::/7"],
    ["fd00::1/7", "is written fc00::/7"],
    ["::ffff:10.0.0.0/104", "is a range of IPv4"]
  ] as const) {
    it(`${text} is none: ${problem}`, () => assert.include(problemIn(text), `${text} ${problem}`))
  }

  // RFC 6052, 2.2: for a prefix of 96 bits the IPv4 address is the last 32.
  for (const [ipv4, ipv6] of [
    ["10.0.0.0/8", "64:ff9b::a00:0/104"],
    ["172.16.0.0/12", "64:ff9b::ac10:0/108"],
    ["192.168.0.0/16", "64:ff9b::c0a8:0/112"],
    ["0.0.0.0/0", "64:ff9b::/96"],
    ["192.0.2.33/32", "64:ff9b::c000:221/128"]
  ] as const) {
    it(`${ipv4} is ${ipv6} behind NAT64`, () => {
      assert.strictEqual(behindNat64(ipv4), ipv6)
      assert.strictEqual(problemIn(ipv6), "")
    })
  }

  const closed = ["10.0.0.0/8", "172.16.0.0/12", "fc00::/7"]
  for (const [address, range] of [
    ["10.96.0.1", "10.0.0.0/8"],
    ["9.255.255.255", undefined],
    ["11.0.0.0", undefined],
    ["172.16.0.0", "172.16.0.0/12"],
    ["172.31.255.255", "172.16.0.0/12"],
    ["172.32.0.0", undefined],
    ["fd12::1", "fc00::/7"],
    ["fe80::1", undefined],
    ["::ffff:10.0.0.1", "10.0.0.0/8"],
    ["64:ff9b::a00:1", "10.0.0.0/8"],
    ["64:ff9b::808:808", undefined]
  ] as const) {
    it(`${address} is in ${range ?? "none"}`, () => assert.strictEqual(rangeWith(closed, address), range))
  }
})
