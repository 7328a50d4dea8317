import type { Db } from '../db.ts'
import type { Finding } from '../policies.ts'

type TableRow = { name: string; enabled: boolean; forced: boolean; policies: number; readable: boolean; mine: boolean }

/**
 * P-5: tables with a column that names an organisation have row security enabled and forced with a policy, the role
 * asking is no owner and cannot bypass, and without an organisation it sees no row of any of them.
 */
export function probeRowSecurity(db: Db, schemas: readonly string[]) {
  return async (): Promise<Finding> => {
    const [role] = await db.query<{ name: string; strong: boolean }>(
      'select rolname as name, rolsuper or rolbypassrls as strong from pg_roles where rolname = current_user',
    )
    if (!role || role.strong) return violated(`role ${role?.name} can bypass row security`)
    const tables = await db.query<TableRow>(
      `select n.nspname || '.' || c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
         (select count(*)::int from pg_policy p where p.polrelid = c.oid) as policies,
         has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as readable, pg_get_userbyid(c.relowner) = current_user as mine
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname = any(?::text[]) and exists (
         select 1 from pg_attribute a where a.attrelid = c.oid and a.attname in ('org', 'tenant', 'partner') and not a.attisdropped)
       order by 1`,
      [schemas],
    )
    if (tables.length === 0) return violated('no table of tenants found')
    for (const table of tables) {
      if (table.mine) return violated(`role ${role.name} owns ${table.name}`)
      if (!table.enabled || !table.forced || table.policies === 0)
        return violated(`${table.name} is not under row security`)
    }
    const readable = tables.filter(({ readable }) => readable)
    const counts = readable.map(({ name }) => `select count(*) as n from ${name}`).join(' union all ')
    const [seen] = await db.query<{ n: string }>(`select coalesce(sum(n), 0) as n from (${counts}) c`)
    if (seen?.n !== '0') return violated(`role ${role.name} sees ${seen?.n} rows without an organisation`)
    return {
      status: 'compliant',
      detail: `${tables.length} tables forced; ${role.name} sees 0 rows of ${readable.length} without an organisation`,
    }
  }
}

const violated = (detail: string): Finding => ({ status: 'violated', detail })
