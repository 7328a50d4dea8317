import { defineEvent } from '../define-event.ts'
import { topics } from '../topics.ts'
import { Withdrawal, withdrawalExample } from '../withdrawal.ts'

/** Its publisher took a version back: it leaves the lists, and from this hour its usage is not billed. */
export const wpkYanked = defineEvent({
  type: 'wpk.yanked',
  version: 1,
  topic: topics.wpk,
  description: 'A package version was taken back by its publisher.',
  data: Withdrawal,
  key: (data) => data.name,
  example: { ...withdrawalExample, reason: 'Restarts workers that hold jobs.' },
})
