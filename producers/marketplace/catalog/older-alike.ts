import type { Db } from '../../../platform/db.ts'
import type { Origin } from '../../../schemas/origin.ts'

/** Asks the older name of another organisation that passes for a name of `org`, if there is one. */
export type OlderAlike = (org: string, name: string) => Promise<Pick<Origin, 'alike'>>

/**
 * As the role that sees every name: a name is refused when it looks like another, unless the operator allowed it or it is
 * older than the check. A name that nobody has yet is younger than all. Not everybody may know of private names.
 */
export const olderAlike =
  (allTenants: Pick<Db, 'query'>): OlderAlike =>
  async (org, name) => {
    const [found] = await allTenants.query<{ name: string; known: boolean }>(
      `select n.name, n.visibility = 'public' and exists (
          select 1 from marketplace.versions v
          where v.name = n.name and v.status in ('published', 'deprecated', 'yanked')) as known
       from marketplace.names n
       where n.org <> ? and n.near && marketplace.name_near(?) and marketplace.names_alike(n.name, ?)
         and n.created_at < coalesce((select o.created_at from marketplace.names o where o.name = ? and o.org = ?), 'infinity')
       order by n.created_at limit 1`,
      [org, name, name, name, org],
    )
    return found === undefined ? {} : { alike: found.known ? { name: found.name } : {} }
  }
