import { createHash, createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { uuidv7 } from 'uuidv7'
import type { Clock } from '../../platform/clock.ts'
import { type Db, execute, row } from '../../platform/db.ts'
import type { DemoCredentials, MemberCredentials } from './credentials.ts'

const NAMES = { demo: 'Demo Workflows', acme: 'Acme Automation' } as const

/** Makes the demo organisations and registers their keys. Repeating it changes nothing. */
export async function ensureDemoOrganisations(
  db: Db,
  credentials: DemoCredentials,
  operatorOrg: string,
  now: Clock,
): Promise<void> {
  if (Object.hasOwn(NAMES, operatorOrg))
    throw new Error(
      `ATOM_OPERATOR_ORG is ${operatorOrg}, which is a partner of the demo: name another, or ATOM_DEMO=off`,
    )
  const at = now()
  await db.transaction(
    async (tx) => {
      for (const [org, name] of Object.entries(NAMES))
        await execute(
          tx,
          `insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, 'member', ?)
           on conflict do nothing`,
          [org, name, at],
        )
      for (const org of ['demo', 'acme'] as const) {
        const { api_key, public_key_path, key_id } = credentials.orgs[org] satisfies MemberCredentials
        const pem = await readFile(public_key_path, 'utf8')
        const algorithm = createPublicKey(pem).asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa-p256'
        await execute(
          tx,
          `insert into marketplace.signing_keys (org, key_id, public_key, algorithm, valid_from, created_at)
           values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
          [org, key_id, pem, algorithm, at, at],
        )
        const hash = createHash('sha256').update(api_key).digest()
        if (await row(tx, 'select 1 from platform.api_keys where org = ? and hash = ?', [org, hash])) continue
        await execute(
          tx,
          'insert into platform.api_keys (org, id, prefix, hash, scopes, created_at) values (?, ?, ?, ?, ?, ?)',
          [org, uuidv7(), api_key.slice(0, 11), hash, ['publish', 'report', 'read'], at],
        )
      }
    },
    { scope: { org: operatorOrg, operator: true } },
  )
}
