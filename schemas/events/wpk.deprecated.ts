import { defineEvent } from '../define-event.ts'
import { topics } from '../topics.ts'
import { Withdrawal, withdrawalExample } from '../withdrawal.ts'

/** Its publisher advises against a version: it stays public and is billed as before. */
export const wpkDeprecated = defineEvent({
  type: 'wpk.deprecated',
  version: 1,
  topic: topics.wpk,
  description: 'A published package version is advised against; it still works.',
  data: Withdrawal,
  key: (data) => data.name,
  example: { ...withdrawalExample, reason: 'Use 1.1.0, which restarts one worker at a time.' },
})
