import { readFileSync } from 'node:fs'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify'
import { messageOf } from '../../../platform/errors.ts'

/**
 * Whose certificates, logs and timestamps are believed. `left` says what of the file was not taken and why;
 * `hasCertificateLogs` whether certificates must be in such a log, also where none of those named could be taken.
 */
export type TrustRoot = {
  material: Omit<TrustMaterial, 'publicKey'>
  hasCertificateLogs: boolean
  left: readonly string[]
}

const MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.trustedroot(\+json;version=0\.[12]|\.v0\.2\+json)$/
/** Of npm @sigstore/tuf 4.0.2, released 2026-04; its newest part is a log that opened in September 2025. */
const PUBLIC_ROOT = new URL('./public-trusted-root.json', import.meta.url)

/** The public Sigstore instance as it was when this version was made. Never asks the network. */
export const publicTrustRoot = (): TrustRoot => readTrustRoot(readFileSync(PUBLIC_ROOT, 'utf8'))

/**
 * Reads a `trusted_root.json`. Parts of an unknown kind are left out, so that one of them does not spoil the others;
 * so are those without a date they are valid from, which the library takes for "always". Throws when nothing is left.
 */
export function readTrustRoot(text: string): TrustRoot {
  const json = JSON.parse(text) as { mediaType?: unknown } & Record<string, unknown>
  if (typeof json.mediaType !== 'string' || !MEDIA_TYPE.test(json.mediaType))
    throw new Error('not a trusted_root.json: its mediaType is not one of a trusted root')
  const left: string[] = []
  const material: TrustRoot['material'] = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
  }
  for (const kind of ['certificateAuthorities', 'timestampAuthorities', 'tlogs', 'ctlogs'] as const)
    for (const [index, part] of (Array.isArray(json[kind]) ? (json[kind] as unknown[]) : []).entries())
      try {
        const only = TrustedRoot.fromJSON({ [kind]: [part] })
        if (!hasStart(only)) throw new Error('it has no date it is valid from')
        const read = toTrustMaterial(only)
        Object.assign(material, { [kind]: [...material[kind], ...read[kind]] })
      } catch (error) {
        left.push(`${kind}/${index}: ${messageOf(error)}`)
      }
  if (material.certificateAuthorities.length + material.tlogs.length === 0)
    throw new Error(`nothing of the trusted root can be used: ${left.join('; ') || 'it is empty'}`)
  return { material, hasCertificateLogs: Array.isArray(json.ctlogs) && json.ctlogs.length > 0, left }
}

const hasStart = ({ certificateAuthorities, timestampAuthorities, tlogs, ctlogs }: TrustedRoot): boolean =>
  [...certificateAuthorities, ...timestampAuthorities].every(({ validFor }) => validFor?.start !== undefined) &&
  [...tlogs, ...ctlogs].every(({ publicKey }) => publicKey?.validFor?.start !== undefined)
