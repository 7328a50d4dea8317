import { rows, type Tx } from '../../../platform/db.ts'
import type { Static } from '../../../schemas/envelope.ts'
import type { PlanTerms } from '../../../schemas/plan-terms.ts'
import type { VersionRow } from '../version-row.ts'

/** More than partners have; what is beyond is said to be there. */
const MOST_PLANS = 20
type PlanVersion = {
  id: string
  first_version: string
  number: number
  name: string
  currency: string
  effective_from: Date
  in_force: boolean
  terms: Static<typeof PlanTerms>
}

/**
 * What the publisher of a version asks for, by plan, newest first: the version in force now and those to come. A plan is
 * its partner's, and tenants take any package of that partner under it; null where the partner has none.
 */
export async function pricePlans(tx: Tx, { org }: Pick<VersionRow, 'org'>, now: Date) {
  const found = await rows<PlanVersion>(
    tx,
    `with numbered as (
       select *, (row_number() over plan)::int as number,
         coalesce(lead(effective_from) over plan > ?, true) and effective_from <= ? as in_force
       from marketplace.price_plans where partner = ?
       window plan as (partition by first_version order by effective_from, id))
     select id, first_version, number, name, currency, effective_from, in_force, terms from numbered
     where first_version in (select id from marketplace.price_plans
                             where partner = ? and id = first_version order by id desc limit ?)
       and (in_force or effective_from > ?)
     order by first_version desc, effective_from, id`,
    [now, now, org, org, MOST_PLANS + 1, now],
  )
  if (found.length === 0) return null
  const plans = [...new Set(found.map(({ first_version }) => first_version))]
  return {
    partner: org,
    plans: plans.slice(0, MOST_PLANS).map((plan) => ({
      id: plan,
      versions: found
        .filter(({ first_version }) => first_version === plan)
        .map(({ id, number, name, currency, effective_from, in_force, terms }) => ({
          ...{ id, version: number, name, currency, effective_from: effective_from.toISOString(), in_force },
          ...terms,
        })),
    })),
    truncated: plans.length > MOST_PLANS,
  }
}
