import { type Static, Type } from '@sinclair/typebox'
import { authError } from '../../../platform/auth/errors.ts'
import type { Principal } from '../../../platform/auth/principal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, OrgId } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import type { Outcome } from './deduct.ts'
import { deductionQueue } from './deduction-queue.ts'
import { creditError } from './errors.ts'

const Body = closed({
  tenant: OrgId,
  id: Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$' }),
  amount: Type.String({ pattern: '^(?=.*[1-9])\\d{1,18}(\\.\\d{1,12})?$' }),
  meter: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  package: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
})

/** POST /billing/credits/deductions: takes prepaid money at once, wholly or not at all, and once for each id. */
export function deductionRoute(deps: MeteringDeps): Route {
  const deduct = deductionQueue(deps)
  const operators = new Set<string>()

  async function handle(call: Call): Promise<Answer> {
    await requireOperatorKey(call.principal)
    const { tenant, ...asked } = checked(Body, jsonBody(call))
    return answerOf({ tenant, ...asked }, await deduct(tenant, asked))
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

function answerOf(asked: Static<typeof Body>, outcome: Outcome): Answer {
  const at = (code: string, detail: string, pointer = '/amount') => ({ errors: [{ pointer, code, detail }] })
  switch (outcome.is) {
    case 'taken':
    case 'repeated': {
      const { currency, credits, left } = outcome
      const body = { ...asked, currency, credits, left, at: outcome.at.toISOString() }
      return { status: outcome.is === 'taken' ? 201 : 200, body }
    }
    case 'insufficient': {
      const detail = `${outcome.left} ${outcome.currency} is left for this`
      throw creditError('credits_insufficient', detail, at('credits_insufficient', detail))
    }
    case 'conflict': {
      const detail = 'another deduction has this id: another amount, meter or package'
      throw creditError('deduction_conflict', detail, at('deduction_conflict', detail, '/id'))
    }
    case 'too_exact': {
      const detail = `the currency of the tenant has ${outcome.digits} decimals`
      throw creditError('deduction_invalid', detail, at('too_exact', detail))
    }
    case 'tenant_unknown':
      throw httpError('not_found', 'no tenant with this name')
  }
}
