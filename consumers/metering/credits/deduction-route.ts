import { Type } from '@sinclair/typebox'
import { authError } from '../../../platform/auth/errors.ts'
import type { Principal } from '../../../platform/auth/principal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, OrgId } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import type { Deduction, Outcome, Refused } from './deduct.ts'
import { deductionQueue } from './deduction-queue.ts'
import { creditError } from './errors.ts'

const asked = {
  id: Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$' }),
  amount: Type.String({ pattern: '^(?=.*[1-9])\\d{1,18}(\\.\\d{1,12})?$' }),
  meter: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  package: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
}
const One = closed({ tenant: OrgId, ...asked })
const Many = closed({ tenant: OrgId, deductions: Type.Array(closed(asked), { minItems: 1, maxItems: 500 }) })

/** POST /billing/credits/deductions: takes prepaid money at once, each deduction wholly or not at all, and once for its id. */
export function deductionRoute(deps: MeteringDeps): Route {
  const deduct = deductionQueue(deps)
  const operators = new Set<string>()

  async function handle(call: Call): Promise<Answer> {
    await requireOperatorKey(call.principal)
    const body = jsonBody(call)
    if (typeof body === 'object' && body !== null && 'deductions' in body) {
      const { tenant, deductions } = checked(Many, body)
      const outcomes = await Promise.all(deductions.map((one) => deduct(tenant, one)))
      const answers = deductions.map((one, index) => listed(one, outcomes[index] as Outcome, index))
      return { status: 200, body: { tenant, deductions: answers } }
    }
    const { tenant, ...one } = checked(One, body)
    const outcome = await deduct(tenant, one)
    const answer = textOf(one, outcome, '')
    return { status: outcome.is === 'taken' ? 201 : 200, body: { tenant, ...answer } }
  }

  /** The scope `report` belongs to everybody's keys; only those of the operator may spend what is others'. */
  async function requireOperatorKey({ kind, org }: Principal): Promise<void> {
    if (kind !== 'api-key' || operators.has(org)) return
    const [found] = await deps.allTenants.query<{ kind: string }>('select kind from platform.orgs where org = ?', [org])
    if (found?.kind !== 'operator') throw authError('forbidden', 'this call needs a key of the operator')
    operators.add(org)
  }

  return {
    method: 'POST',
    path: '/billing/credits/deductions',
    summary: 'Deduct from the prepaid credits of a tenant at once',
    access: { roles: ['finance'], scopes: ['report'] },
    handle,
  }
}

/** One of many: a refused one leaves the others as they are. */
function listed(one: Deduction, outcome: Outcome, index: number): object {
  if (outcome.is === 'tenant_unknown') throw refusal(outcome, '')
  if ('credits' in outcome) return textOf(one, outcome, '')
  const { code, errors } = refusal(outcome, `/deductions/${index}`)
  return { id: one.id, status: 'refused', code, ...errors[0] }
}

function textOf(one: Deduction, outcome: Outcome, at: string): object {
  if (!('credits' in outcome)) throw refusal(outcome, at)
  const { is: status, currency, credits, left } = outcome
  return { ...one, status, currency, credits, left, at: outcome.at.toISOString() }
}

function refusal(outcome: Refused, at: string) {
  const fault = (code: string, detail: string, pointer = '/amount') => ({
    errors: [{ pointer: `${at}${pointer}`, code, detail }],
  })
  switch (outcome.is) {
    case 'insufficient': {
      const detail = `${outcome.left} ${outcome.currency} is left for this`
      return creditError('credits_insufficient', detail, fault('credits_insufficient', detail))
    }
    case 'conflict': {
      const detail = 'another deduction has this id: another amount, meter or package'
      return creditError('deduction_conflict', detail, fault('deduction_conflict', detail, '/id'))
    }
    case 'too_exact': {
      const detail = `the currency of the tenant has ${outcome.digits} decimals`
      return creditError('deduction_invalid', detail, fault('too_exact', detail))
    }
    case 'tenant_unknown':
      return httpError('not_found', 'no tenant with this name')
  }
}
