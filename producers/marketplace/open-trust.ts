import { join, resolve } from 'node:path'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { HealthCheck } from '../../platform/http/health.ts'
import { openFileKey } from '../../platform/keys/file-key.ts'
import type { Log } from '../../platform/log.ts'
import type { MarketplaceDeps } from './deps.ts'
import { recordCheck, trustRootCheck } from './health-checks.ts'
import { keepRecord } from './record/keep-record.ts'
import { openTrustRoot } from './trust-root-file.ts'

type Options = {
  home: string
  trustedRoot: string | undefined
  oidcIssuers: string[] | undefined
  oidcOrgClaim: string | undefined
  db: Db
  now: Clock
  log: Log
}
export type MarketplaceTrust = {
  deps: Pick<MarketplaceDeps, 'trustRoot' | 'registryKey' | 'memberIssuers'>
  /** Signs and records what happened since; to be called now and then. */
  record: () => Promise<number>
  checks: HealthCheck[]
}

/** Opens whom the marketplace trusts and the key it signs with, in `home`. Throws when either cannot be used. */
export async function openTrust(options: Options): Promise<MarketplaceTrust> {
  const { home, trustedRoot, oidcIssuers = [], oidcOrgClaim, db, now, log } = options
  const trustRoot = openTrustRoot(trustedRoot)
  // Read here, so that a file that cannot be used is said at the start and not at the first upload that needs it.
  for (const left of trustRoot().left) log.warn('part of the trusted root is not used', { left })
  const registryKey = await openFileKey(join(resolve(home), 'keys', 'marketplace'))
  return {
    deps: { trustRoot, registryKey, memberIssuers: oidcOrgClaim === undefined ? oidcIssuers : [] },
    record: () => keepRecord({ db, key: registryKey, now }),
    checks: [recordCheck(db, now), trustRootCheck(trustRoot)],
  }
}
