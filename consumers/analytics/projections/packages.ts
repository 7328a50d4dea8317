import { ok } from '../../../platform/bus/outcome.ts'
import { handler } from '../../../platform/bus/runner.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import type { Shadow } from '../../../platform/replay/replay.ts'
import type { Envelope } from '../../../schemas/envelope.ts'
import { wpkBlocked } from '../../../schemas/events/wpk.blocked.ts'
import { wpkDeprecated } from '../../../schemas/events/wpk.deprecated.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../../schemas/events/wpk.rejected.ts'
import { wpkReviewed } from '../../../schemas/events/wpk.reviewed.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../../schemas/events/wpk.verdict.ts'
import { wpkYanked } from '../../../schemas/events/wpk.yanked.ts'
import { wpkReaderChanged } from '../../../schemas/events/wpk_reader.changed.ts'
import { wpkVisibilityChanged } from '../../../schemas/events/wpk_visibility.changed.ts'

const WITHDRAWALS = [
  ['deprecated', wpkDeprecated],
  ['yanked', wpkYanked],
  ['blocked', wpkBlocked],
] as const

/** Package versions with state and verdict. Events of one package come in order, so the last one is the state. */
export const packagesProjection: Shadow = {
  name: 'packages',
  schema: 'read',
  tables: ['packages'],
  handlers: (schema) => [
    handler({
      name: 'analytics.packages.submitted',
      on: wpkSubmitted,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle({ data, time }, tx) {
        await execute(
          tx,
          `insert into ${schema}.packages (org, id, name, version, status, updated_at, visibility, readers)
         values (?, ?, ?, ?, 'submitted', ?,
           coalesce((select visibility from ${schema}.packages where org = ? and name = ? limit 1), 'public'),
           coalesce((select readers from ${schema}.packages where org = ? and name = ? limit 1), '{}'))
         on conflict do nothing`,
          [data.org, data.id, data.name, data.version, time, data.org, data.name, data.org, data.name],
        )
        return ok()
      },
    }),
    handler({
      name: 'analytics.packages.verdict',
      on: wpkVerdict,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle({ data, time }, tx) {
        const { risk_score, decision, violations } = data.verdict
        const shown = violations.map(({ rule_id, severity, pointer, message }) => ({
          rule_id,
          severity,
          pointer,
          message,
        }))
        await execute(
          tx,
          `update ${schema}.packages set status = 'in_review', risk_score = ?, decision = ?, violations = ?, updated_at = ?
         where org = ? and id = ?`,
          [risk_score, decision, JSON.stringify(shown), time, data.org, data.id],
        )
        return ok()
      },
    }),
    handler({
      name: 'analytics.packages.reviewed',
      on: wpkReviewed,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle(event, tx) {
        const status = { approve: 'approved', reject: 'rejected', request_changes: 'changes_requested' }[
          event.data.decision
        ]
        await setStatus(tx, schema, event, status, null)
        return ok()
      },
    }),
    handler({
      name: 'analytics.packages.published',
      on: wpkPublished,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle(event, tx) {
        await setStatus(tx, schema, event, 'published', event.data.published_at)
        return ok()
      },
    }),
    handler({
      name: 'analytics.packages.rejected',
      on: wpkRejected,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle(event, tx) {
        await setStatus(tx, schema, event, 'rejected', null)
        return ok()
      },
    }),
    handler({
      name: 'analytics.packages.visibility-changed',
      on: wpkVisibilityChanged,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle({ data }, tx) {
        await execute(tx, `update ${schema}.packages set visibility = ? where org = ? and name = ?`, [
          data.visibility,
          data.org,
          data.name,
        ])
        return ok()
      },
    }),
    handler({
      name: 'analytics.packages.reader-changed',
      on: wpkReaderChanged,
      emits: [],
      writes: ['read.packages'],
      replay: 'apply',
      async handle({ data: { org, name, reader, access } }, tx) {
        const granted = access === 'granted'
        const others = 'array_remove(readers, ?)'
        await execute(
          tx,
          `update ${schema}.packages set readers = ${granted ? `array_append(${others}, ?)` : others}
           where org = ? and name = ?`,
          [reader, ...(granted ? [reader] : []), org, name],
        )
        return ok()
      },
    }),
    ...WITHDRAWALS.map(([status, on]) =>
      handler({
        name: `analytics.packages.${status}`,
        on,
        emits: [],
        writes: ['read.packages'],
        replay: 'apply',
        async handle(event, tx) {
          await setStatus(tx, schema, event, status, null)
          return ok()
        },
      }),
    ),
  ],
}

async function setStatus(
  tx: Tx,
  schema: string,
  event: Envelope<{ org: string; id: string }>,
  status: string,
  publishedAt: string | null,
) {
  const { data, time } = event
  await execute(
    tx,
    `update ${schema}.packages set status = ?, published_at = coalesce(?, published_at), updated_at = ? where org = ? and id = ?`,
    [status, publishedAt, time, data.org, data.id],
  )
}
