import { defineEvent } from '../define-event.ts'
import { topics } from '../topics.ts'
import { Withdrawal, withdrawalExample } from '../withdrawal.ts'

/** The marketplace forbids a version: from this hour its usage is not billed. */
export const wpkBlocked = defineEvent({
  type: 'wpk.blocked',
  version: 1,
  topic: topics.wpk,
  description: 'A package version was blocked by the marketplace.',
  data: Withdrawal,
  key: (data) => data.name,
  example: { ...withdrawalExample, reason: 'Sends credentials to a host that nobody named.' },
})
