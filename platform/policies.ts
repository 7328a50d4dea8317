import { readFile } from 'node:fs/promises'
import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import { failureLog } from './failure-log.ts'
import type { Log } from './log.ts'

export type Policy = { id: string; title: string }
/** What a probe of the running system found. `not_applicable`: this system has nothing the policy speaks of yet. */
export type Finding = { status: 'compliant' | 'violated' | 'not_applicable'; detail: string }
export type PolicyStatus = { id: string } & Finding
/** `fresh` asks the probes again although their last findings are recent. */
export type Compliance = (options?: { fresh?: boolean }) => Promise<PolicyStatus[]>
export type Probes = Record<string, () => Promise<Finding>>

const FRESH_MS = 15_000
/** `/health` must answer while the database does not. */
const PROBE_LIMIT_MS = 2_000

/** Reads the policies from the document that people read: one `## P-n Title` heading each. */
export async function readPolicies(file: string | URL): Promise<Policy[]> {
  const text = await readFile(file, 'utf8')
  const policies = [...text.matchAll(/^## (P-\d+) (.+)$/gm)].map(([, id, title]) => ({
    id: id as string,
    title: title as string,
  }))
  if (policies.length === 0) throw new Error('the policy document names no policy')
  return policies
}

/**
 * Compliance as the probes find it, never older than 15 s. A policy without a probe, or whose probe fails, is
 * reported as violated: silence is not compliance.
 */
export function createCompliance(policies: readonly Policy[], probes: Probes, now: Clock, log: Log): Compliance {
  const failed = failureLog(log, 'policy probe failed')
  let known: { at: number; statuses: Promise<PolicyStatus[]> } | undefined
  return ({ fresh = false } = {}) => {
    const at = now().getTime()
    if (!known || fresh || at - known.at > FRESH_MS || at < known.at)
      known = { at, statuses: Promise.all(policies.map(({ id }) => probe(id, probes[id], failed))) }
    return known.statuses
  }
}

type Failed = ReturnType<typeof failureLog>

async function probe(id: string, run: Probes[string] | undefined, failed: Failed): Promise<PolicyStatus> {
  if (!run) return { id, status: 'violated', detail: 'no probe checks this policy' }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () => resolve({ status: 'violated', detail: 'the probe did not answer in time' }),
      PROBE_LIMIT_MS,
    )
  })
  try {
    const finding = await Promise.race([run(), late])
    failed(id, null)
    return { id, ...finding }
  } catch (error) {
    failed(id, messageOf(error))
    return { id, status: 'violated', detail: 'the probe failed; the log says why' }
  } finally {
    clearTimeout(timer)
  }
}
