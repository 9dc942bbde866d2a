/**
 * Ranges of IP addresses as Kubernetes writes them, such as 10.0.0.0/8 and
 * fc00::/7: whether one is written right, and which of them holds an address.
 */
import { Schema } from "effect"
import { BlockList, isIPv4, isIPv6 } from "node:net"

/** One range, in its only right form: a policy with another is refused, or holds something else. */
export const Cidr = Schema.String.check(Schema.makeFilter((text) => problemOf(text) ?? true))

const problemOf = (text: string): string | undefined => {
  const [, address = "", length = ""] = /^([^/%]+)\/(0|[1-9]\d{0,2})$/u.exec(text) ?? []
  const size = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0
  if (size === 0 || Number(length) > size) return `${text} is no range of addresses such as 10.0.0.0/8 or fc00::/7`
  // RFC 4291, 2.5.5.2: on the wire these are IPv4 addresses.
  if (size === 128 && bitsOf(address) >> 32n === 0xffffn) return `${text} is a range of IPv4: write it so`
  const hostBits = BigInt(size - Number(length))
  const right = `${textOf((bitsOf(address) >> hostBits) << hostBits, size)}/${length}`
  return right === text ? undefined : `${text} is written ${right}`
}

export const isOfIpv4 = (cidr: string): boolean => !cidr.includes(":")

/** Whether it holds all addresses of its family. */
export const isAll = (cidr: string): boolean => cidr.endsWith("/0")

/**
 * The same IPv4 addresses as an IPv6-only Pod reaches them by NAT64: behind the well-known prefix 64:ff9b::/96 (RFC
 * 6052, 2.1). Its section 3.1 forbids that for private addresses, and some translators do it all the same.
 */
export const behindNat64 = (ipv4: string): string => {
  const [address = "", length = ""] = ipv4.split("/")
  return `${textOf((0x64ff9bn << 96n) | bitsOf(address), 128)}/${96 + Number(length)}`
}

/** The range that holds an address, also where IPv6 writes one of IPv4; undefined: none does. */
export const rangeWith = (cidrs: ReadonlyArray<string>, address: string): string | undefined =>
  cidrs.find((cidr) => {
    const ranges = new BlockList()
    for (const range of isOfIpv4(cidr) ? [cidr, behindNat64(cidr)] : [cidr]) {
      const [network = "", length = ""] = range.split("/")
      ranges.addSubnet(network, Number(length), isOfIpv4(range) ? "ipv4" : "ipv6")
    }
    return ranges.check(address, isIPv6(address) ? "ipv6" : "ipv4")
  })

const bitsOf = (address: string): bigint =>
  isIPv4(address)
    ? address.split(".").reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n)
    : BigInt(`0x${groupsOf(address).join("")}`)

/** All eight groups, with all their digits. */
const groupsOf = (address: string): ReadonlyArray<string> => {
  const [head = "", tail = ""] = hostnameOf(address).split("::")
  const before = head.split(":").filter(Boolean)
  const after = tail.split(":").filter(Boolean)
  const between = Array.from({ length: 8 - before.length - after.length }, () => "0")
  return [...before, ...between, ...after].map((group) => group.padStart(4, "0"))
}

const textOf = (bits: bigint, size: number): string =>
  size === 32
    ? [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join(".")
    : hostnameOf(
        bits
          .toString(16)
          .padStart(32, "0")
          .replaceAll(/(.{4})(?=.)/gu, "$1:")
      )

// URLs hold IPv6 addresses in one form only, which is that of RFC 5952.
const hostnameOf = (ipv6: string): string => new URL(`http://[${ipv6}]`).hostname.slice(1, -1)
