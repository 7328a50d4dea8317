import type { Db, Tx } from '../../platform/db.ts'

/** A pool of which one session ends right after a statement that it chose, as when its process is killed there. */
export type CutDb = Db & {
  /** Ends the session after the n-th statement from now inside a transaction; 0 for none. */
  cutAfter(n: number): void
  /** Statements inside transactions since then. */
  seen(): number
}

export function cutDb(db: Db): CutDb {
  let at = 0
  let seen = 0
  const watched = (tx: Tx): Tx =>
    new Proxy(tx, {
      get(target, key) {
        if (key !== 'raw') return Reflect.get(target, key)
        return async (sql: string, bindings: never) => {
          const result = await target.raw(sql, bindings)
          seen += 1
          if (seen === at) await target.raw('select pg_terminate_backend(pg_backend_pid())')
          return result
        }
      },
    })
  return {
    ...db,
    transaction: (work, options) => db.transaction((tx) => work(watched(tx)), options),
    cutAfter(n) {
      at = n
      seen = 0
    },
    seen: () => seen,
  }
}
