import { rows, type Tx } from '../../../platform/db.ts'

type Contract = { partner: string; month: string; percent: string }

/**
 * Each partner's share of a month's net in percent: of the contract in force in it, `otherwise` where there is none.
 * Read whole: a partner has a handful.
 */
export async function loadShares(tx: Tx, otherwise: string): Promise<(partner: string, period: string) => string> {
  const contracts = await rows<Contract>(
    tx,
    `select partner, to_char(effective_from, 'YYYY-MM') as month, trim_scale(partner_share_percent)::text as percent
     from metering.share_contracts order by effective_from`,
  )
  return shareFrom(contracts, otherwise)
}

/** The last contract that took effect by the month; `contracts` rise by month. */
export const shareFrom =
  (contracts: readonly Contract[], otherwise: string) =>
  (partner: string, period: string): string =>
    contracts.findLast((one) => one.partner === partner && one.month <= period)?.percent ?? otherwise
