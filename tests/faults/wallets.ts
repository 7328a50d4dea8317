import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { insist, type Server, type Stage } from './stage.ts'

const GRANTED = '10.00'
const DEDUCTIONS = 6
/** 6 × 1.25. */
const USED = '7.50'

/** A grant and deductions from it, each asked for again until it is answered. */
export function deducting(stage: Stage): Driving {
  const pushed = new Map<string, Promise<void>>()
  return {
    services: ['billing'],
    async push(server, name) {
      const done = spend(stage, server, name)
      pushed.set(name, done)
      await done
    },
    async finish(_last, name) {
      await pushed.get(name)
      return found(stage, name)
    },
  }
}

async function spend(stage: Stage, server: Server, tenant: string): Promise<void> {
  const token = stage.orgs.atom.tokens.finance as string
  const { owner } = stage.world
  await owner.query("insert into platform.orgs values (?, ?, 'member', now()) on conflict do nothing", [tenant, tenant])
  const grant = { tenant, amount: GRANTED, kind: 'paid', reference: 'order-1' }
  await insist(server, 'POST', '/billing/credits', { token, body: grant })
  for (let n = 0; n < DEDUCTIONS; n++)
    await insist(server, 'POST', '/billing/credits/deductions', {
      token,
      body: { tenant, id: `d-${n}`, amount: '1.25' },
    })
}

/** One grant with one posting; every deduction once, in the credit, its movements and the books alike. */
async function found({ world: { owner } }: Stage, tenant: string): Promise<Finding> {
  const [got] = await owner.query<Record<'grants' | 'used' | 'moved' | 'cash' | 'prepaid', string> & { n: number }>(
    `select (select coalesce(sum(amount), 0)::numeric(9,2)::text from metering.credits where tenant = ?) as grants,
       (select coalesce(sum(used), 0)::numeric(9,2)::text from metering.credits where tenant = ?) as used,
       (select coalesce(sum(amount), 0)::numeric(9,2)::text from metering.credit_movements where tenant = ?) as moved,
       (select count(*)::int from metering.credit_deductions where tenant = ?) as n,
       (select coalesce(sum(amount), 0)::numeric(9,2)::text from metering.ledger
        where tenant = ? and account = 'cash') as cash,
       (select coalesce(sum(amount), 0)::numeric(9,2)::text from metering.ledger
        where tenant = ? and account = 'prepaid_credits') as prepaid`,
    Array.from({ length: 6 }, () => tenant),
  )
  const wanted = { grants: GRANTED, used: USED, moved: USED, n: DEDUCTIONS, cash: GRANTED, prepaid: '-2.50' }
  const names = Object.keys(wanted) as (keyof typeof wanted)[]
  const wrong = names.filter((name) => got?.[name] !== wanted[name]).map((name) => `${tenant}: ${name} ${got?.[name]}`)
  const counted = got?.n ?? 0
  const double = Math.max(0, Math.round((Number(got?.used ?? 0) - Number(USED)) / 1.25))
  return { acknowledged: DEDUCTIONS, counted, lost: DEDUCTIONS - counted, double, wrong }
}
