import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PublicHalf, SigningKey } from './signing-key.ts'

/**
 * A key of PEM files `1.pem`, `2.pem` … in `folder`, mode 0600; the first is made when there is none, and a new version
 * is a new file. Throws when a file is open to others, or holds no P-256 key.
 */
export async function openFileKey(folder: string): Promise<SigningKey> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await versionsIn(folder)).length === 0) await makeFirst(folder)
  const opened = await Promise.all((await versionsIn(folder)).map((version) => open(join(folder, `${version}.pem`))))
  const newest = opened.at(-1) as Opened
  return {
    sign: async (bytes) => ({ keyId: newest.half.keyId, signature: sign('sha256', bytes, newest.key) }),
    publicKeys: async () => opened.map(({ half }) => half),
  }
}

type Opened = { key: KeyObject; half: PublicHalf }

const versionsIn = async (folder: string): Promise<number[]> =>
  (await readdir(folder))
    .flatMap((name) => /^([1-9]\d{0,5})\.pem$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)

async function open(file: string): Promise<Opened> {
  const { mode } = await stat(file)
  // Readable for the group is how a Secret is mounted for a user that is not root.
  if ((mode & 0o037) !== 0) throw new Error(`${file} is open to others (chmod 600 it, and consider it known)`)
  const key = createPrivateKey(await readFile(file))
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error(`${file} is not an ECDSA P-256 key`)
  const publicKey = createPublicKey(key)
  const keyId = createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64')
  return { key, half: { keyId, pem: publicKey.export({ format: 'pem', type: 'spki' }).toString() } }
}

async function makeFirst(folder: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const partial = join(folder, `new.${process.pid}`)
  await writeFile(partial, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  // Linked, not renamed: of two processes that start at once the second takes the key that is there.
  await link(partial, join(folder, '1.pem')).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(partial, { force: true })
}
