import { BlockList, isIP, isIPv4 } from 'node:net'

/** Which addresses may be called. */
export type AddressRules = {
  /** For development: addresses of this machine and its network, and plain http. */
  allowPrivate: boolean
}

/** Not the public Internet, by IANA's registry of special-purpose IPv4 addresses, and multicast. */
const REFUSED_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const
/** Of 2000::/3, outside of which nothing is public: special purposes, and those that carry an IPv4 address inside. */
const REFUSED_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
] as const

const refusedV4 = new BlockList()
for (const [net, bits] of REFUSED_V4) refusedV4.addSubnet(net, bits, 'ipv4')
const publicV6 = new BlockList()
publicV6.addSubnet('2000::', 3, 'ipv6')
const refusedV6 = new BlockList()
for (const [net, bits] of REFUSED_V6) refusedV6.addSubnet(net, bits, 'ipv6')

/** Whether an address is on the public Internet. False for whatever is no address. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !refusedV4.check(address, 'ipv4')
  // A zone (`fe80::1%eth0`) names an interface of this machine.
  if (isIP(address) !== 6 || address.includes('%')) return false
  return publicV6.check(address, 'ipv6') && !refusedV6.check(address, 'ipv6')
}

/** Why an address may not be called, or null. */
export const addressFault = (address: string, { allowPrivate }: AddressRules): string | null =>
  allowPrivate || isPublicAddress(address) ? null : `${address} is not an address of the public Internet`

/** Why a URL cannot be a webhook's, or null. What its name resolves to is looked at with every call. */
export function urlFault(text: string, rules: AddressRules): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null) return 'is not a URL'
  if (url.protocol !== 'https:' && !(rules.allowPrivate && url.protocol === 'http:')) return 'is not https'
  if (url.username !== '' || url.password !== '') return 'holds a credential; the signature says who calls'
  if (url.hash !== '') return 'has a fragment, which is never sent'
  if (url.href.length > 2048) return 'is longer than 2048 characters'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 ? null : addressFault(host, rules)
}
