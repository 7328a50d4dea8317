import { readArtifact } from '../../../platform/artifacts.ts'
import type { Tx } from '../../../platform/db.ts'
import { AppError } from '../../../platform/errors.ts'
import type { Origin } from '../../../schemas/origin.ts'
import { signersOf } from '../signers.ts'
import type { TrustRoot } from '../trust/trust-root.ts'
import { type Signed, verifySignature } from '../trust/verify-signature.ts'
import type { VersionRow } from '../version-row.ts'

export type SignedVersion = Pick<VersionRow, 'org' | 'digest' | 'signature_form' | 'signature' | 'submitted_at'>

const FAULTS: Record<string, Pick<Origin, 'signature' | 'signer'>> = {
  signature_missing: { signature: 'missing', signer: 'not_judged' },
  signature_invalid: { signature: 'invalid', signer: 'not_judged' },
  bundle_malformed: { signature: 'invalid', signer: 'not_judged' },
  // Whether a key of nobody made it says nothing: the signature is not looked at then.
  signer_not_registered: { signature: 'not_judged', signer: 'not_registered' },
}

/**
 * What is true of a stored signature today: verified again over the stored bytes, with the signers and the trust root as
 * they are now, at the time of the upload. `tx` sees every organisation.
 */
export async function originNow(tx: Tx, version: SignedVersion, root: () => TrustRoot): Promise<Origin> {
  const bytes = await readArtifact(tx, version.org, version.digest)
  // The analyzer asks for the same bytes and says itself that they are gone.
  if (bytes === null) return { signature: 'not_judged', signer: 'not_judged', detail: 'its bytes are gone' }
  // Whose key it was instead makes no difference here.
  const signers = { ...(await signersOf(tx, version.org)), foreign: async () => [] }
  try {
    await verifySignature(bytes, signedOf(version), { signers, root, receivedAt: version.submitted_at })
    return { signature: 'verified', signer: 'registered' }
  } catch (error) {
    const fault = error instanceof AppError ? FAULTS[error.code] : undefined
    if (fault === undefined || !(error instanceof Error)) throw error
    return { ...fault, detail: error.message.slice(0, 300) }
  }
}

/** As it came with the upload. */
function signedOf({ signature_form, signature }: SignedVersion): Signed {
  if (signature_form === 'bundle') return { bundle: signature }
  const { signature: text, key_id } = signature
  return {
    ...(typeof text === 'string' ? { signature: text } : {}),
    ...(typeof key_id === 'string' ? { keyId: key_id } : {}),
  }
}
