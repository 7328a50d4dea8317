import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, OrgId, UtcTime, Uuid } from '../envelope.ts'
import { PlanTerms } from '../plan-terms.ts'
import { topics } from '../topics.ts'

/** Plans never change: a new price is a new version, told as an event of its own. The event's id is the plan's. */
export const planCreated = defineEvent({
  type: 'plan.created',
  version: 1,
  topic: topics.billing,
  description: 'A partner made a price plan, or a later version of one.',
  data: closed({
    id: Uuid,
    /** Of the plan that this is a version of; the plan's own id for the first. */
    first_version: Uuid,
    partner: OrgId,
    name: Type.String(),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    effective_from: UtcTime,
    created_at: UtcTime,
    terms: PlanTerms,
  }),
  key: (data) => data.partner,
  example: {
    id: '0192f6a0-0000-7000-8000-000000000009',
    first_version: '0192f6a0-0000-7000-8000-000000000009',
    partner: 'demo',
    name: 'pay as you go',
    currency: 'USD',
    effective_from: '2026-11-01T00:00:00.000Z',
    created_at: '2026-10-20T09:00:00.000Z',
    terms: { charges: [{ id: 'runs', model: 'per_unit', meter: 'workflow_runs', unit_amount: '0.50' }] },
  },
})
