import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Keeps short secrets that have to be read again, unlike a password. */
export type SecretBox = {
  /** `about` is what the secret belongs to: opened under anything else it does not open. */
  seal(secret: Uint8Array, about: string): Buffer
  /** Throws when it was sealed with another key, for something else, or was changed. */
  open(sealed: Uint8Array, about: string): Buffer
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM with a key of 32 bytes. Throws on any other length. */
export function secretBox(key: Uint8Array): SecretBox {
  if (key.length !== KEY_BYTES) throw new Error(`a key that seals secrets has ${KEY_BYTES} bytes, not ${key.length}`)
  return {
    seal(secret, about) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about))
      const text = Buffer.concat([cipher.update(secret), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), text])
    },
    open(sealed, about) {
      const nonce = sealed.subarray(0, NONCE_BYTES)
      const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(about)).setAuthTag(tag)
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    },
  }
}

/**
 * The box whose key is this text (base64 of 32 bytes), or else the one in `file`, mode 0600, made when there is none.
 * Processes that share a database need the same key. Throws when the file is open to others.
 */
export async function openSecretBox(text: string | undefined, file: string): Promise<SecretBox> {
  if (text !== undefined) return secretBox(Buffer.from(text, 'base64'))
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const partial = `${file}.${process.pid}`
  await writeFile(partial, randomBytes(KEY_BYTES).toString('base64'), { mode: 0o600 })
  // Linked, not renamed: of two processes that start at once the second takes the key that is there.
  await link(partial, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(partial, { force: true })
  const { mode } = await stat(file)
  if ((mode & 0o037) !== 0) throw new Error(`${file} is open to others (chmod 600 it, and consider it known)`)
  return secretBox(Buffer.from(await readFile(file, 'utf8'), 'base64'))
}
