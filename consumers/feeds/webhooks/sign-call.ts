import { createHmac, randomBytes } from 'node:crypto'

/** Standard Webhooks: `whsec_` and 24 to 64 bytes as base64. */
const PREFIX = 'whsec_'
const NEW_BYTES = 32
export const SECRET_PATTERN = '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'

export const secretText = (secret: Uint8Array): string => `${PREFIX}${Buffer.from(secret).toString('base64')}`
export const newSecret = (): Buffer => randomBytes(NEW_BYTES)

/** The bytes of a secret as text, or null when it is not base64 of 24 to 64 bytes. */
export function secretBytes(text: string): Buffer | null {
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64')
  return secretText(bytes) === text && bytes.length >= 24 && bytes.length <= 64 ? bytes : null
}

/** Headers of a call by the scheme of Standard Webhooks, signed with each of the secrets: the receiver may know any. */
export function signedHeaders(
  { id, body, at }: { id: string; body: string; at: Date },
  secrets: readonly Uint8Array[],
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  )
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
