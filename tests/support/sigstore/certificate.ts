import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { bits, context, flag, generalizedTime, implicit, integer, octets, oid, sequence, set, utf8 } from './der.ts'

export type Extension = { oid: string; critical?: boolean; value: Buffer }
export type Certificate = { der: Buffer; key: KeyObject; spki: Buffer; subject: Buffer; issuer: Buffer; serial: Buffer }
export type NewCertificate = {
  subject: string
  /** Signs it; without one it signs itself. */
  issuer?: Certificate
  from: Date
  to: Date
  extensions: Extension[]
  /** The signer's key, when it is not to be a new one. */
  privateKey?: KeyObject
  /** A certificate log signs the parts before its own answer is put in: both have one serial number. */
  serial?: Buffer
}

export const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
let serials = 0

/** A certificate over a new P-256 key, and its parts without a signature, which a certificate log signs. */
export function certificateOf(made: NewCertificate): Certificate & { tbs: Buffer } {
  const key = made.privateKey ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const subject = nameOf(made.subject)
  const issuer = made.issuer?.subject ?? subject
  serials += 1
  const serial = made.serial ?? Buffer.from([0x10, serials >> 8, serials & 0xff])
  const tbs = sequence(
    context(0, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    issuer,
    sequence(generalizedTime(made.from), generalizedTime(made.to)),
    subject,
    spki,
    context(3, sequence(...made.extensions.map(extensionOf))),
  )
  const signature = sign('sha256', tbs, made.issuer?.key ?? key)
  return { tbs, der: sequence(tbs, ECDSA_SHA256, bits(signature)), key, spki, subject, issuer, serial }
}

const nameOf = (text: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), utf8(text))))

const extensionOf = ({ oid: id, critical = false, value }: Extension): Buffer =>
  sequence(oid(id), ...(critical ? [flag(true)] : []), octets(value))

/** What lets a certificate issue others: it is a CA that may sign certificates. */
export const AUTHORITY: Extension[] = [
  { oid: '2.5.29.19', critical: true, value: sequence(flag(true)) },
  { oid: '2.5.29.15', critical: true, value: Buffer.from([0x03, 0x02, 0x01, 0x06]) },
]
export const usageExtension = (usage: string): Extension => ({ oid: '2.5.29.37', value: sequence(oid(usage)) })
export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
export const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'

export const keyIdOf = (spki: Buffer): Buffer => createHash('sha256').update(spki).digest()
/** `kind` is the tag of a general name: 1 for an e-mail address, 6 for a URI. */
export const nameExtension = (names: { kind: number; value: Buffer }[]): Extension => ({
  oid: '2.5.29.17',
  critical: true,
  value: sequence(...names.map(({ kind, value }) => implicit(kind, value))),
})
export const issuerExtension = (issuer: string): Extension[] => [
  { oid: '1.3.6.1.4.1.57264.1.1', value: Buffer.from(issuer) },
  { oid: '1.3.6.1.4.1.57264.1.8', value: utf8(issuer) },
]
