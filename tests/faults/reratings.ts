import { periodOf } from '../../platform/utc-time.ts'
import type { Driving } from './drives.ts'
import { issue, tenantsWithUsage, USED, usageTime } from './invoices.ts'
import { insist, type Stage } from './stage.ts'

type Replay = {
  state: string
  progress: { records: number }
  result: { tenants: number; differing_lines: number; differing_hours: number }
}
const ENDED = ['done', 'failed', 'cancelled']

/** Replays of issued months: each ends once, with every record of the log counted once and nothing that differs. */
export function rerating(stage: Stage): Driving {
  const { orgs, world } = stage
  const token = orgs.atom.tokens.finance as string
  return {
    services: ['billing'],
    async prepare(server, names) {
      await tenantsWithUsage(stage, server, names)
      await issue(stage, server)
    },
    async push(server, name) {
      await insist(server, 'POST', '/billing/replay', { token, body: { tenant: name, period: periodOf(usageTime) } })
    },
    async finish(last, name) {
      const asked = await world.owner.query<{ id: string }>('select id from metering.reratings where tenant = ?', [
        name,
      ])
      const finding = { acknowledged: 0, counted: 0, lost: 0, double: 0, wrong: asked[0] ? [] : [`${name}: none`] }
      const wrong: string[] = finding.wrong
      for (const { id } of asked) {
        const ended = (answer: { body: Replay }) => ENDED.includes(answer.body.state)
        const { body } = await insist(last, 'GET', `/billing/replay/${id}`, { token }, ended)
        const { state, progress, result } = body as Replay
        finding.acknowledged += USED
        finding.counted += progress.records
        finding.lost += Math.max(0, USED - progress.records)
        finding.double += Math.max(0, progress.records - USED)
        const { tenants, differing_lines: lines, differing_hours: hours } = result
        if (state !== 'done' || tenants !== 1 || lines + hours > 0)
          wrong.push(`${name}: ${state}, ${tenants} tenants, ${lines} lines and ${hours} hours differ`)
      }
      return finding
    },
  }
}
