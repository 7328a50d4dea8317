import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** Keeps short secrets that have to be read again, unlike a password. */
export type SecretBox = {
  /** `about` is what the secret belongs to: opened under anything else it does not open. */
  seal(secret: Uint8Array, about: string): Buffer
  /** Throws when it was sealed with a key that is not here, for something else, or was changed. */
  open(sealed: Uint8Array, about: string): Buffer
}

export const BOX_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM. The first key seals, any opens: so one is replaced. Throws on a key that has not 32 bytes. */
export function secretBox(keys: readonly [Uint8Array, ...Uint8Array[]]): SecretBox {
  for (const { length } of keys)
    if (length !== BOX_KEY_BYTES) throw new Error(`a key that seals secrets has ${BOX_KEY_BYTES} bytes, not ${length}`)
  return {
    seal(secret, about) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keys[0], nonce).setAAD(Buffer.from(about))
      const text = Buffer.concat([cipher.update(secret), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), text])
    },
    open(sealed, about) {
      for (const key of keys) {
        const opened = openWith(key, sealed, about)
        if (opened !== null) return opened
      }
      throw new Error('the secret was sealed with another key')
    },
  }
}

function openWith(key: Uint8Array, sealed: Uint8Array, about: string): Buffer | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
  } catch {
    return null
  }
}
