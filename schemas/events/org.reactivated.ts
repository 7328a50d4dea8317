import { defineEvent } from '../define-event.ts'
import { Standing } from '../standing.ts'
import { topics } from '../topics.ts'

/** A suspension ended. */
export const orgReactivated = defineEvent({
  type: 'org.reactivated',
  version: 1,
  topic: topics.orgs,
  description: 'An organisation that was suspended may act again.',
  data: Standing,
  key: (data) => data.org,
  example: { org: 'demo', reason: 'The contract was renewed.', by: 'admin@atom', at: '2026-11-03T10:00:00.000Z' },
})
