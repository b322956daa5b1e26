import { BlockList, isIPv4, isIPv6 } from "node:net"

/** IANA's registry of special-purpose addresses: everything that is not reachable from everywhere. */
const SPECIAL_V4: readonly (readonly [address: string, bits: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
]

/** Of the only block that is assigned, 2000::/3: tunnels that lead to other addresses, and documentation. */
const SPECIAL_V6: readonly (readonly [address: string, bits: number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
]

const special = new BlockList()
for (const [address, bits] of SPECIAL_V4) special.addSubnet(address, bits, "ipv4")
for (const [address, bits] of SPECIAL_V6) special.addSubnet(address, bits, "ipv6")
const assigned = new BlockList()
assigned.addSubnet("2000::", 3, "ipv6")

/** Is it an address of the public internet, as opposed to this machine, its network, or a cloud's own services? */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, "ipv4")
  return isIPv6(address) && assigned.check(address, "ipv6") && !special.check(address, "ipv6")
}
