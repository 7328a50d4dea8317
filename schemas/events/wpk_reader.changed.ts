import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, OrgId } from '../envelope.ts'
import { topics } from '../topics.ts'

/** Its publisher lets an organisation read what is published of a private package, or no longer does. */
export const wpkReaderChanged = defineEvent({
  type: 'wpk_reader.changed',
  version: 1,
  topic: topics.wpk,
  description: 'An organisation may read a private package from now on, or may no longer.',
  data: closed({
    org: OrgId,
    name: Type.String({ minLength: 1, maxLength: 128 }),
    reader: OrgId,
    access: Type.Union([Type.Literal('granted'), Type.Literal('ended')]),
  }),
  key: (data) => data.name,
  example: { org: 'demo', name: 'restart-workers', reader: 'acme', access: 'granted' },
})
