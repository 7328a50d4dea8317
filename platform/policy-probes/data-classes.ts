import type { Topic } from '../../schemas/topics.ts'
import type { Bus } from '../bus/bus.ts'
import type { Db } from '../db.ts'
import type { Finding } from '../policies.ts'

const CLASSES = ['log', 'aggregate', 'hash', 'receipt', 'account', 'configuration', 'document']
const LOG_TABLES = ['platform.event_log', 'platform.dead_letters']

type Deps = { db: Db; bus: Pick<Bus, 'retentionFaults'>; schemas: readonly string[]; topics: readonly Topic[] }

/** P-1: every table names its class of data in its comment, only the log holds raw events, and the log expires. */
export function probeDataClasses({ db, bus, schemas, topics }: Deps) {
  return async (): Promise<Finding> => {
    const tables = await db.query<{ name: string; comment: string | null }>(
      `select n.nspname || '.' || c.relname as name, obj_description(c.oid, 'pg_class') as comment
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname = any(?::text[]) and c.relname <> 'migrations'`,
      [schemas],
    )
    const classOf = (comment: string | null) => /\[(\w+)\]$/.exec(comment ?? '')?.[1] ?? ''
    const unknown = tables.filter(({ comment }) => !CLASSES.includes(classOf(comment)))
    if (unknown.length > 0) return violated(`no class of data stated for ${names(unknown)}`)
    const raw = tables.filter(({ name, comment }) => classOf(comment) === 'log' && !LOG_TABLES.includes(name))
    if (raw.length > 0) return violated(`raw events outside the log: ${names(raw)}`)
    const faults = await bus.retentionFaults(topics)
    if (faults.length > 0) return violated(faults.join('; '))
    return { status: 'compliant', detail: `${tables.length} tables state their class; raw events are in the log only` }
  }
}

const violated = (detail: string): Finding => ({ status: 'violated', detail })
const names = (tables: readonly { name: string }[]) => tables.map(({ name }) => name).join(', ')
