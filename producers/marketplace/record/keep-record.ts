import { uuidv7 } from 'uuidv7'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, row, rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import type { SigningKey } from '../../../platform/keys/signing-key.ts'
import { IN_TOTO } from '../trust/pre-auth-encoding.ts'
import { BEGINNING, CHECKPOINT_TYPE, type Head, hashOf, linked } from './chain.ts'
import { bundleOf, signedEnvelope } from './envelope.ts'
import {
  DECISION_TYPE,
  type Decided,
  decisionStatement,
  type Judged,
  VERDICT_TYPE,
  verdictStatement,
} from './statements.ts'

export type RecordDeps = { db: Db; key: SigningKey; now: Clock }
type Change = { pos: string; org: string; kind: string; subject: string; at: Date; detail: object }

const BATCH = 50

/**
 * Signs what was judged and decided since, and appends it with the changes of signers to the audit log. One process at
 * a time; while the key cannot be reached nothing is lost, it waits. Returns how many entries were made.
 */
export async function keepRecord(deps: RecordDeps): Promise<number> {
  let recorded = 0
  for (;;) {
    const now = await deps.db.transaction((tx) => recordBatch(tx, deps))
    recorded += now
    if (now < BATCH) return recorded
  }
}

async function recordBatch(tx: Tx, { key, now }: RecordDeps): Promise<number> {
  // Looked at without the lock first: mostly there is nothing, and nothing should cost nothing.
  if (!(await row(tx, 'select 1 from marketplace.to_record limit 1'))) return 0
  const got = await row<{ got: boolean }>(
    tx,
    "select pg_try_advisory_xact_lock(hashtextextended('marketplace.audit_log', 0)) as got",
  )
  if (!got?.got) return 0
  const changes = await rows<Change>(
    tx,
    'select pos, org, kind, subject, at, detail from marketplace.to_record order by pos limit ?',
    [BATCH],
  )
  if (changes.length === 0) return 0
  let head = await headOf(tx)
  for (const change of changes) {
    const detail = change.kind === 'verdict' || change.kind === 'decision' ? await attest(tx, key, change, now()) : null
    head = await append(tx, head, change, detail ?? change.detail)
    await execute(tx, 'delete from marketplace.to_record where pos = ?', [change.pos])
    fault('record.after-entry')
  }
  const checkpoint = JSON.stringify({ seq: head.seq, sha256: head.sha256, at: now().toISOString() })
  await execute(tx, 'insert into marketplace.audit_checkpoints (seq, envelope) values (?, ?)', [
    head.seq,
    JSON.stringify(await signedEnvelope(key, CHECKPOINT_TYPE, checkpoint)),
  ])
  fault('record.before-commit')
  return changes.length
}

async function headOf(tx: Tx): Promise<Head> {
  const last = await row<{ seq: string; sha256: string }>(
    tx,
    'select seq, sha256 from marketplace.audit_log order by seq desc limit 1',
  )
  return last ? { seq: Number(last.seq), sha256: last.sha256 } : BEGINNING
}

async function append(tx: Tx, head: Head, { org, kind, subject, at }: Change, detail: object): Promise<Head> {
  const next = linked(head, { at: at.toISOString(), kind, org, subject, detail })
  await execute(tx, 'insert into marketplace.audit_log (seq, org, entry, sha256) values (?, ?, ?, ?)', [
    next.head.seq,
    org,
    next.entry,
    next.head.sha256,
  ])
  return next.head
}

type Attested = { versionId: string; predicateType: string; statement: string; digest: string }

/** Signs and stores the statement of a verdict or decision; what the audit log keeps of it. */
async function attest(tx: Tx, key: SigningKey, change: Change, now: Date): Promise<object> {
  const { versionId, predicateType, statement, digest } =
    change.kind === 'verdict' ? await judged(tx, change) : await decided(tx, change)
  const id = uuidv7()
  const bundle = bundleOf(await signedEnvelope(key, IN_TOTO, statement))
  await execute(
    tx,
    `insert into marketplace.attestations (org, id, version_id, predicate_type, bundle, created_at)
     values (?, ?, ?, ?, ?, ?)`,
    [change.org, id, versionId, predicateType, JSON.stringify(bundle), now],
  )
  return { attestation: id, version: versionId, digest, statement_sha256: hashOf(statement) }
}

const JUDGED = 'v.id, v.org, v.name, v.version, v.digest, v.verdict'

async function judged(tx: Tx, { org, subject }: Change): Promise<Attested> {
  const sql = `select ${JUDGED} from marketplace.versions v where v.org = ? and v.id = ?`
  const found = (await row<Judged>(tx, sql, [org, subject])) as Judged
  return {
    versionId: found.id,
    predicateType: VERDICT_TYPE,
    statement: verdictStatement(found),
    digest: found.digest,
  }
}

async function decided(tx: Tx, { org, subject }: Change): Promise<Attested> {
  const found = (await row<Judged & Decided>(
    tx,
    `select ${JUDGED}, d.decision, d.approver, d.approver_kind, d.justification, d.before_sha256, d.after_sha256,
       d.decided_at, d.policy_version
     from marketplace.decisions d join marketplace.versions v on v.org = d.org and v.id = d.version_id
     where d.org = ? and d.id = ?`,
    [org, subject],
  )) as Judged & Decided
  return {
    versionId: found.id,
    predicateType: DECISION_TYPE,
    statement: decisionStatement(found, found),
    digest: found.digest,
  }
}
