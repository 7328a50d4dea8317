import type { X509Certificate } from '@sigstore/core'

/** Who a Fulcio certificate speaks for: the OIDC issuer that vouched, and the person or workflow it vouched for. */
export type CertificateIdentity = { issuer: string; subject: string }

const SUBJECT_ALT_NAME = '2.5.29.17'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1'
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8'
const EMAIL = 1
const URI = 6

/**
 * The identity in a certificate, or a sentence that says why there is none. Stricter than the library, which takes the
 * first of several names, strips the eighth bit (so that another name may read like the registered one) and does not
 * look at what the certificate is for.
 */
export function identityOf(certificate: X509Certificate): CertificateIdentity | string {
  const usages = certificate.extension(EXTENDED_KEY_USAGE)?.valueObj.subs[0]?.subs ?? []
  if (!usages.some((usage) => usage.toOID() === CODE_SIGNING)) return 'the certificate is not one for signing code'
  const names = certificate.extension(SUBJECT_ALT_NAME)?.valueObj.subs[0]?.subs ?? []
  const [name] = names
  if (!name || names.length !== 1) return 'the certificate must have exactly one subject alternative name'
  if (!name.tag.isContextSpecific(EMAIL) && !name.tag.isContextSpecific(URI))
    return 'the subject alternative name of the certificate is neither an e-mail address nor a URI'
  const subject = printable(name.value)
  const issuers = [
    certificate.extension(ISSUER_V2)?.valueObj.subs[0]?.value,
    certificate.extension(ISSUER_V1)?.value,
  ].filter((value) => value !== undefined)
  const [issuer] = issuers.map(printable)
  if (issuer === undefined) return 'the certificate does not say who issued the identity'
  if (!issuer || !subject) return 'the identity in the certificate is not plain text'
  if (issuers.some((other) => printable(other) !== issuer)) return 'the certificate names two issuers of the identity'
  return { issuer, subject }
}

const printable = (bytes: Buffer): string => (bytes.every((byte) => byte > 0x20 && byte < 0x7f) ? bytes.toString() : '')
