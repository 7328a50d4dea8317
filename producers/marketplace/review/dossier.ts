import { scopeOf } from '../../../platform/auth/principal.ts'
import type { Tx } from '../../../platform/db.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { reasonTemplates } from '../policy/reason-templates.ts'
import { reading } from '../reading/reading.ts'
import { signerOf } from '../signers.ts'
import { storedDocument } from '../stored-document.ts'
import { findVersion, threadOf, type VersionRow } from '../version-row.ts'
import { approvalsOf } from './approvals.ts'
import type { Examined } from './examine.ts'
import { lastApproved } from './last-approved.ts'
import { offeredFindings } from './overrides.ts'
import { signerHistory, similarDecisions } from './precedents.ts'
import { pricePlans } from './price-plans.ts'
import { queued } from './queue.ts'
import { entryOf, lastEntries } from './thread.ts'

/** GET /reviews/{id}: everything that a decision needs, in one answer. Secrets are masked wherever they stand. */
export function dossierRoute(deps: MarketplaceDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const now = deps.now()
    const found = await deps.db.transaction((tx) => readAll(tx, call.params.id ?? '', now), {
      scope: scopeOf(call.principal),
    })
    const { version, approvals, before, newer, earlier, signer, history, similar, thread, accepted, prices } = found
    const { findings, diff, added } = await reading.run('examine', call.principal.org, { newer, earlier })
    const rules = new Set(version.verdict?.violations.map(({ rule_id }) => rule_id))
    return {
      status: 200,
      body: {
        ...queued(version, approvals, now),
        status: version.status,
        safety_mode: version.safety_mode,
        submitted_at: version.submitted_at.toISOString(),
        approved_by: approvals?.by ?? [],
        findings,
        compared_to: before && comparedTo(before),
        diff,
        added,
        signer: { ...signer, ...history },
        similar_decisions: similar,
        accepted_findings: accepted,
        price_plans: prices,
        templates: reasonTemplates.filter(({ rule }) => rule === null || rules.has(rule)),
        thread: { thread_id: threadOf(version), entries: thread.map(entryOf) },
      },
    }
  }
  const access = { roles: ['reviewer'] as const }
  return { method: 'GET', path: '/reviews/:id', summary: 'Everything needed to decide', access, handle }
}

async function readAll(tx: Tx, id: string, now: Date) {
  const version = await findVersion(tx, id)
  const before = await lastApproved(tx, version)
  return {
    version,
    before,
    newer: await examinedOf(tx, version),
    earlier: before && (await examinedOf(tx, before)),
    approvals: (await approvalsOf(tx, [version])).get(version.id),
    signer: await signerOf(tx, version),
    history: await signerHistory(tx, version),
    similar: await similarDecisions(tx, version),
    accepted: await offeredFindings(tx, version, now),
    prices: await pricePlans(tx, version, now),
    thread: await lastEntries(tx, version),
  }
}

async function examinedOf(tx: Tx, version: VersionRow): Promise<Examined> {
  const { violations = [], capabilities = [] } = version.verdict ?? {}
  return { ...(await storedDocument(tx, version)), violations, capabilities }
}

const comparedTo = ({ id, version, digest, status }: VersionRow) => ({ id, version, digest, status })
