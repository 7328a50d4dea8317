import { sign } from 'node:crypto'
import type { SigningKey } from '../../platform/keys/signing-key.ts'
import { newKey } from './organisations.ts'

/** A key of the marketplace that is in no file, and can be out of reach. */
export function registryKey(): SigningKey & { reachable(is: boolean): void } {
  const { keyId, pem, privateKey } = newKey()
  let isReachable = true
  return {
    reachable(is) {
      isReachable = is
    },
    async sign(bytes) {
      if (!isReachable) throw new Error('the key cannot be reached')
      return { keyId, signature: sign('sha256', bytes, privateKey) }
    },
    publicKeys: async () => [{ keyId, pem }],
  }
}
