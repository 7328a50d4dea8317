import { setTimeout as pause } from 'node:timers/promises'
import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { idle, insist, type Server, type Stage } from './stage.ts'

/** A point's name as the id of an organisation. */
const orgOf = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')

/** Organisations are made, suspended and reactivated by the operator, who repeats what a crash ate the answer of. */
export function suspending(stage: Stage): Driving {
  const done = new Map<string, Promise<void>>()
  const asked = (server: Server, path: string, body: object) =>
    insist(server, 'POST', path, { token: stage.orgs.atom.tokens.admin as string, service: 'marketplace', body })
  return {
    services: ['marketplace'],
    async push(server, name) {
      const all = async () => {
        const org = orgOf(name)
        await asked(server, '/orgs', { id: org, name })
        await asked(server, `/orgs/${org}/suspend`, { reason: 'contract ended' })
        await asked(server, `/orgs/${org}/reactivate`, { reason: 'contract renewed' })
      }
      const pushed = all()
      done.set(name, pushed)
      await pushed
    },
    async finish(last, name) {
      await done.get(name)
      while (!(await idle(last, 'marketplace'))) await pause(50)
      return found(stage, orgOf(name))
    },
  }
}

/** The organisation is active; each act was told and handed to the audit log once. */
async function found({ world: { owner } }: Stage, org: string): Promise<Finding> {
  const told = await owner.query<{ type: string }>(
    "select headers->>'ce_type' as type from platform.event_log where topic = 'atom.orgs' and key = ? order by xid, pos",
    [org],
  )
  const recorded = await owner.query<{ kind: string }>(
    `select entry::jsonb->>'kind' as kind from marketplace.audit_log where org = ?
     union all select kind from marketplace.to_record where org = ? order by 1`,
    [org, org],
  )
  const active = await owner.query('select 1 from platform.orgs where org = ? and suspended_at is null', [org])
  const events = told.map(({ type }) => type).join(' ')
  const acts = recorded.map(({ kind }) => kind).join(' ')
  const right =
    active.length === 1 &&
    events === 'org.suspended org.reactivated' &&
    acts === 'org_created org_reactivated org_suspended'
  return {
    acknowledged: 1,
    counted: active.length,
    lost: 1 - active.length,
    double: Math.max(0, told.length - 2) + Math.max(0, recorded.length - 3),
    wrong: right ? [] : [`${org}: events ${events}; records ${acts}`],
  }
}
