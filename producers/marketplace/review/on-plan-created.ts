import { ok } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import { execute } from '../../../platform/db.ts'
import { planCreated } from '../../../schemas/events/plan.created.ts'

/** Remembers what partners ask for, to be shown to who decides on their packages. Plans never change. */
export const onPlanCreated = (): Handler =>
  handler({
    name: 'marketplace.on-plan-created',
    on: planCreated,
    emits: [],
    writes: ['marketplace.price_plans'],
    replay: 'apply',
    async handle({ data }, tx) {
      const { partner, id, first_version, name, currency, effective_from, created_at, terms } = data
      await execute(
        tx,
        `insert into marketplace.price_plans
           (partner, id, first_version, name, currency, effective_from, created_at, terms)
         values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
        [partner, id, first_version, name, currency, effective_from, created_at, JSON.stringify(terms)],
      )
      return ok()
    },
  })
