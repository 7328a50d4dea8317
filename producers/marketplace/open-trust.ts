import { join, resolve } from 'node:path'
import type { Activity } from '../../platform/activity.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { HealthCheck } from '../../platform/http/health.ts'
import { type KeySettings, openKey } from '../../platform/keys/open-key.ts'
import type { Lifecycle } from '../../platform/lifecycle.ts'
import type { Log } from '../../platform/log.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { runPeriodically } from '../../platform/periodic.ts'
import type { MarketplaceDeps } from './deps.ts'
import { recordCheck, signingKeyCheck, trustRootCheck } from './health-checks.ts'
import { keepRecord } from './record/keep-record.ts'
import { measureRecord } from './record/measure-record.ts'
import { publishWaiting } from './record/publish-waiting.ts'
import { measureRevoked } from './revoked-signers.ts'
import { openTrustRoot } from './trust-root-file.ts'

type Options = KeySettings & {
  home: string
  trustedRoot: string | undefined
  oidcIssuers: string[] | undefined
  oidcOrgClaim: string | undefined
}
type Shared = {
  db: Db
  now: Clock
  log: Log
  metrics: Metrics
  lifecycle: Lifecycle
  wake: () => void
  activity: Activity
}
export type MarketplaceTrust = {
  deps: Pick<MarketplaceDeps, 'trustRoot' | 'registryKey' | 'memberIssuers'>
  checks: HealthCheck[]
}

const RECORD_MS = 1_000
const RECORD_IDLE_MS = 5_000
const MEASURE_MS = 15_000
const REVOKED_MS = 60_000

/**
 * Opens whom the marketplace trusts and the key it signs with, and from then on signs and records what happens. Throws
 * when the settings cannot be right; a key store that is away is waited for.
 */
export async function openTrust(settings: Options, shared: Shared): Promise<MarketplaceTrust> {
  const { db, now, log, metrics, lifecycle, wake, activity } = shared
  const trustRoot = openTrustRoot(settings.trustedRoot)
  // Read here, so that a file that cannot be used is said at the start and not at the first upload that needs it.
  for (const left of trustRoot().left) log.warn('part of the trusted root is not used', { left })
  const opened = await openKey(join(resolve(settings.home), 'keys', 'marketplace'), settings, { now, log })
  const record = async () => {
    const recorded = await keepRecord({ db, key: opened.key, now })
    return recorded + (await publishWaiting({ db, now, wake }))
  }
  const periodic = [
    runPeriodically('record of verdicts and decisions', RECORD_MS, record, log, { idleMs: RECORD_IDLE_MS, activity }),
    runPeriodically('measuring of the record', MEASURE_MS, measureRecord(db, metrics, now), log),
    runPeriodically('measuring of revoked signers', REVOKED_MS, measureRevoked(db, metrics), log),
  ]
  lifecycle.onClose('record of verdicts and decisions', async () => {
    // First, so that nobody waits for a store that does not answer.
    opened.close()
    await Promise.all(periodic.map(({ stop }) => stop()))
  })
  const memberIssuers = settings.oidcOrgClaim === undefined ? (settings.oidcIssuers ?? []) : []
  return {
    deps: { trustRoot, registryKey: opened.key, memberIssuers },
    checks: [recordCheck(db, now), signingKeyCheck(opened, now), trustRootCheck(trustRoot)],
  }
}
