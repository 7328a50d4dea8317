import { defineEvent } from '../define-event.ts'
import { Standing } from '../standing.ts'
import { topics } from '../topics.ts'

/** From this moment the organisation reads and changes nothing, and its packages are in no list of others. */
export const orgSuspended = defineEvent({
  type: 'org.suspended',
  version: 1,
  topic: topics.orgs,
  description: 'An organisation was suspended by the operator.',
  data: Standing,
  key: (data) => data.org,
  example: {
    org: 'demo',
    reason: 'Its contract ended in October.',
    by: 'admin@atom',
    at: '2026-11-02T10:00:00.000Z',
  },
})
