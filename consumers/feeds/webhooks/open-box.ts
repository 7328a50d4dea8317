import { randomBytes } from 'node:crypto'
import { type Db, execute, row } from '../../../platform/db.ts'
import { BOX_KEY_BYTES, type SecretBox, secretBox } from '../../../platform/keys/secret-box.ts'

/**
 * What the secrets of webhooks are kept in: sealed with the key given as base64, or else with one in the database, which
 * keeps them from whoever sees a table or a query, and not from whoever has a copy of the whole. Given a key later, what
 * the other has sealed still opens. Throws when the key given has not 32 bytes.
 */
export async function openBox(allOrgs: Db, given: string | undefined): Promise<SecretBox> {
  const kept = await allOrgs.transaction(async (tx) => {
    await execute(tx, 'insert into feeds.seal_key (key) values (?) on conflict do nothing', [
      randomBytes(BOX_KEY_BYTES),
    ])
    return (await row<{ key: Buffer }>(tx, 'select key from feeds.seal_key')) as { key: Buffer }
  })
  return secretBox(given === undefined ? [kept.key] : [Buffer.from(given, 'base64'), kept.key])
}
