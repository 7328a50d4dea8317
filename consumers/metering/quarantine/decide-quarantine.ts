import { type Static, Type } from '@sinclair/typebox'
import { execute, row, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed, saidText } from '../../../schemas/envelope.ts'
import { billingError } from '../errors.ts'
import { markUsed } from './mark-used.ts'

export const DecisionBody = closed({
  decision: Type.Union([Type.Literal('release'), Type.Literal('write_off')]),
  justification: saidText(4_000),
})
export const stateOfDecision = { release: 'released', write_off: 'written_off' } as const

type Decider = { subject: string; org: string }
type Undecided = {
  partner: string
  package: string
  version: string
  since: Date | null
  state: string
  decided_by: string | null
}

/**
 * A person decides on quarantined usage, once: it is billed by the ordinary path, or stays out for good. Answers with how
 * many tenants and which months are rated again.
 */
export async function decideQuarantine(
  tx: Tx,
  id: string,
  { decision, justification }: Static<typeof DecisionBody>,
  { subject, org }: Decider,
  now: Date,
) {
  const found = await lockQuarantine(tx, id)
  if (found.partner === org)
    throw billingError('quarantine_own_package', 'somebody outside your organisation must decide on this package')
  if (found.state !== 'quarantined')
    throw billingError('quarantine_decided', `${found.decided_by} decided: ${found.state}`)
  const state = stateOfDecision[decision]
  await execute(
    tx,
    `update metering.quarantines set state = ?, decided_by = ?, justification = ?, decided_at = ?
     where partner = ? and id = ?`,
    [state, `${subject}@${org}`, justification, now, found.partner, id],
  )
  fault('quarantine.after-decision')
  const marked = await markUsed(tx, found, now)
  const tenants = new Set(marked.map(({ tenant }) => tenant)).size
  return { id, state, tenants, periods: [...new Set(marked.map(({ period }) => period))].sort() }
}

async function lockQuarantine(tx: Tx, id: string): Promise<Undecided> {
  const found = isUuid(id)
    ? await row<Undecided>(
        tx,
        `select partner, package, version, since, state, decided_by from metering.quarantines where id = ? for update`,
        [id],
      )
    : undefined
  if (!found) throw httpError('not_found', 'no quarantine with this id')
  return found
}
