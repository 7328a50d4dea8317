import { ok, skip } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import type { Clock } from '../../../platform/clock.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import { analyzerChanged } from '../../../schemas/events/analyzer.changed.ts'

/** What somebody may use, or is asked to decide on. What was rejected or blocked stays that whatever is found in it. */
const JUDGED = `('in_review', 'approved', 'published', 'deprecated', 'yanked')`

/**
 * Another rule set or model judges from now on: lists the versions it has not judged, the most downloaded first, and takes
 * over from an unfinished round. Nothing is asked here; `requestRescans` does that at its own pace.
 */
export const onAnalyzerChanged = (now: Clock): Handler =>
  handler({
    name: 'marketplace.on-analyzer-changed',
    on: analyzerChanged,
    emits: [],
    async handle(event, tx) {
      const { ruleset, model_version, model_sha256 } = event.data.analyzer
      const begun = await execute(
        tx,
        `insert into marketplace.rescans (id, ruleset, model_version, model_sha256, begun_at) values (?, ?, ?, ?, ?)
         on conflict (id) do nothing`,
        [event.id, ruleset, model_version, model_sha256, now()],
      )
      if (begun === 0) return skip('this round has begun before')
      await execute(tx, `delete from marketplace.rescanned_versions where state = 'waiting'`)
      await execute(tx, 'update marketplace.rescans set replaced_at = ? where id <> ? and replaced_at is null', [
        now(),
        event.id,
      ])
      await list(tx, event.id, { ruleset, model_sha256 })
      return ok()
    },
  })

async function list(tx: Tx, rescan: string, by: { ruleset: string; model_sha256: string }): Promise<void> {
  await execute(
    tx,
    `insert into marketplace.rescanned_versions (org, rescan_id, version_id, place)
     select v.org, ?, v.id, row_number() over (order by d.downloads desc nulls last, v.id desc)
     from marketplace.versions v
     left join (select org, version_id, sum(count) as downloads from marketplace.downloads group by org, version_id) d
       on d.org = v.org and d.version_id = v.id
     where v.status in ${JUDGED}
       and (v.verdict->>'ruleset' is distinct from ? or v.verdict->'model'->>'sha256' is distinct from ?)
       and not exists (
         select 1 from marketplace.rescanned_versions r
         where r.org = v.org and r.version_id = v.id
           and r.verdict->>'ruleset' = ? and r.verdict->'model'->>'sha256' = ?)`,
    [rescan, by.ruleset, by.model_sha256, by.ruleset, by.model_sha256],
  )
}
