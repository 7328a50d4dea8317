import { sign } from 'node:crypto'
import { proofText } from '../../producers/marketplace/signing-keys.ts'
import { newKey, type SigningKey } from '../support/organisations.ts'
import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { partner, uploadPackage } from './packages.ts'
import { insist, type Server, type Stage } from './stage.ts'

/** A key is registered, signs a version, and is revoked. */
export function rotating(stage: Stage): Driving {
  const pairs = new Map<string, SigningKey>()
  const done = new Map<string, Promise<void>>()
  return {
    services: ['marketplace', 'governance'],
    async push(server, name) {
      const pair = newKey()
      pairs.set(name, pair)
      const all = rotate(stage, server, name, pair)
      done.set(name, all)
      await all
    },
    async finish(_last, name) {
      await done.get(name)
      return found(stage, name, pairs.get(name) as SigningKey)
    },
  }
}

async function rotate(
  stage: Stage,
  server: Server,
  name: string,
  { keyId, pem, privateKey }: SigningKey,
): Promise<void> {
  const by = partner(stage.orgs)
  const proof = sign('sha256', Buffer.from(proofText('demo', keyId)), privateKey).toString('base64')
  const body = { public_key: pem, proof }
  // 409: it was stored before the crash that ate the answer.
  await insist(server, 'POST', '/orgs/keys', { ...by, body }, ({ status }) => status === 201 || status === 409)
  await uploadPackage(stage, server, name, { privateKey })
  await insist(server, 'DELETE', `/orgs/keys/${encodeURIComponent(keyId)}`, by)
}

/** The key is there once and revoked, and what it signed before is one version. */
async function found({ world: { owner } }: Stage, name: string, { keyId }: SigningKey): Promise<Finding> {
  const keys = await owner.query<{ revoked: boolean }>(
    'select revoked_at is not null as revoked from marketplace.signing_keys where key_id = ?',
    [keyId],
  )
  const versions = await owner.query<{ key_id: string }>('select key_id from marketplace.versions where name = ?', [
    name,
  ])
  const wrong: string[] = []
  if (keys.length !== 1 || !keys[0]?.revoked) wrong.push(`keys: ${JSON.stringify(keys)}`)
  if (versions.some(({ key_id }) => key_id !== keyId)) wrong.push('signed by another key')
  const double = Math.max(0, versions.length - 1)
  return { acknowledged: 1, counted: Math.min(1, versions.length), lost: versions.length === 0 ? 1 : 0, double, wrong }
}
