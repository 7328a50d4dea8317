import { createHash, sign } from 'node:crypto'
import { type Certificate, ECDSA_SHA256 } from './certificate.ts'
import { context, generalizedTime, integer, octets, oid, sequence, set } from './der.ts'

const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'))
const SIGNED_DATA = oid('1.2.840.113549.1.7.2')
const TST_INFO = oid('1.2.840.113549.1.9.16.1.4')

/** An RFC 3161 answer over `data`, signed at `time` by `authority`. */
export function timestampOf(data: Uint8Array, authority: Certificate, time: Date): Buffer {
  const imprint = sequence(SHA256, octets(createHash('sha256').update(data).digest()))
  const info = sequence(integer(1), oid('1.3.6.1.4.1.57264.2'), imprint, integer(7), generalizedTime(time))
  const digest = octets(createHash('sha256').update(info).digest())
  const attributes = [
    sequence(oid('1.2.840.113549.1.9.3'), set(TST_INFO)),
    sequence(oid('1.2.840.113549.1.9.4'), set(digest)),
  ]
  // Signed as a SET, carried under a context tag.
  const signature = sign('sha256', set(...attributes), authority.key)
  const signer = sequence(
    integer(1),
    sequence(authority.issuer, integer(authority.serial)),
    SHA256,
    context(0, ...attributes),
    ECDSA_SHA256,
    octets(signature),
  )
  const data_ = sequence(integer(3), set(SHA256), sequence(TST_INFO, context(0, octets(info))), set(signer))
  return sequence(sequence(integer(0)), sequence(SIGNED_DATA, context(0, data_)))
}
