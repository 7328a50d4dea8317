import { uuidv7 } from 'uuidv7'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, row, rows, type Tx } from '../../../platform/db.ts'
import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import type { SigningKey } from '../../../platform/keys/signing-key.ts'
import { IN_TOTO } from '../trust/pre-auth-encoding.ts'
import { BEGINNING, CHECKPOINT_TYPE, type Head, hashOf, linked } from './chain.ts'
import { bundleOf, type Envelope, signedEnvelope } from './envelope.ts'
import { endOutage, noteOutage, signingOutage } from './signing-outage.ts'
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
 * a time; while the key cannot be reached nothing is lost, it waits, and that it does is noted. Returns how many entries
 * were made.
 */
export async function keepRecord(deps: RecordDeps): Promise<number> {
  let recorded = 0
  for (;;) {
    const now = await deps.db
      .transaction((tx) => recordBatch(tx, deps))
      .catch(async (error: unknown) => {
        if (!(error instanceof Unsigned)) throw error
        await noteOutage(deps.db, error.cause, deps.now())
        throw error.cause
      })
    if (now === 0) return recorded
    recorded += now
    fault('record.after-commit')
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
    // One is enough to ask a key store that was out of reach a moment ago.
    [(await signingOutage(tx)) ? 1 : BATCH],
  )
  if (changes.length === 0) return 0
  const statements: (Attested | null)[] = []
  for (const change of changes) statements.push(await statementOf(tx, change))
  const entries = chained(await headOf(tx), changes, statements)
  const head = (entries.at(-1) as Entry).head
  const checkpoint = JSON.stringify({ seq: head.seq, sha256: head.sha256, at: now().toISOString() })
  // All signatures before the first change: a store that is slow must not hold up the readers of the event log, which
  // wait for every transaction that has changed something.
  const [signedHead, ...signed] = await Promise.all([
    signedEnvelope(key, CHECKPOINT_TYPE, checkpoint),
    ...statements.map((one) => one && signedEnvelope(key, IN_TOTO, one.statement)),
  ]).catch((cause: unknown) => {
    throw new Unsigned(cause)
  })
  fault('record.after-signing')
  for (const [at, change] of changes.entries()) {
    const [attested, envelope] = [statements[at], signed[at]]
    if (attested && envelope) await storeAttestation(tx, change.org, attested, envelope, now())
    await append(tx, change.org, entries[at] as Entry)
    await execute(tx, 'delete from marketplace.to_record where pos = ?', [change.pos])
    fault('record.after-entry')
  }
  await execute(tx, 'insert into marketplace.audit_checkpoints (seq, envelope) values (?, ?)', [
    head.seq,
    JSON.stringify(signedHead),
  ])
  await endOutage(tx)
  fault('record.before-commit')
  return changes.length
}

/** The key could not be used; the cause says why. */
class Unsigned extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause })
  }
}

async function headOf(tx: Tx): Promise<Head> {
  const last = await row<{ seq: string; sha256: string }>(
    tx,
    'select seq, sha256 from marketplace.audit_log order by seq desc limit 1',
  )
  return last ? { seq: Number(last.seq), sha256: last.sha256 } : BEGINNING
}

type Entry = ReturnType<typeof linked>

/** The entries that follow on `head`. Of a statement the log keeps what it is about and its hash. */
function chained(head: Head, changes: readonly Change[], statements: readonly (Attested | null)[]): Entry[] {
  let last = head
  return changes.map(({ at, kind, org, subject, detail }, index) => {
    const attested = statements[index]
    const entry = linked(last, {
      at: at.toISOString(),
      kind,
      org,
      subject,
      detail: attested ? attestedDetail(attested) : detail,
    })
    last = entry.head
    return entry
  })
}

const attestedDetail = ({ id, versionId, digest, statement }: Attested) => ({
  attestation: id,
  version: versionId,
  digest,
  statement_sha256: hashOf(statement),
})

const append = (tx: Tx, org: string, { entry, head }: Entry) =>
  execute(tx, 'insert into marketplace.audit_log (seq, org, entry, sha256) values (?, ?, ?, ?)', [
    head.seq,
    org,
    entry,
    head.sha256,
  ])

type Attested = { id: string; versionId: string; predicateType: string; statement: string; digest: string }

/** The statement of a verdict or decision, to be signed; null for other changes. */
async function statementOf(tx: Tx, change: Change): Promise<Attested | null> {
  if (change.kind === 'verdict') return { id: uuidv7(), ...(await judged(tx, change)) }
  return change.kind === 'decision' ? { id: uuidv7(), ...(await decided(tx, change)) } : null
}

const storeAttestation = (tx: Tx, org: string, attested: Attested, envelope: Envelope, now: Date) =>
  execute(
    tx,
    `insert into marketplace.attestations (org, id, version_id, predicate_type, bundle, created_at)
     values (?, ?, ?, ?, ?, ?)`,
    [org, attested.id, attested.versionId, attested.predicateType, JSON.stringify(bundleOf(envelope)), now],
  )

const JUDGED = 'v.id, v.org, v.name, v.version, v.digest, v.verdict'

async function judged(tx: Tx, { org, subject }: Change): Promise<Omit<Attested, 'id'>> {
  const sql = `select ${JUDGED} from marketplace.versions v where v.org = ? and v.id = ?`
  const found = (await row<Judged>(tx, sql, [org, subject])) as Judged
  return {
    versionId: found.id,
    predicateType: VERDICT_TYPE,
    statement: verdictStatement(found),
    digest: found.digest,
  }
}

async function decided(tx: Tx, { org, subject }: Change): Promise<Omit<Attested, 'id'>> {
  const found = (await row<Judged & Decided>(
    tx,
    `select ${JUDGED}, d.decision, d.approver, d.approver_kind, d.justification, d.before_sha256, d.after_sha256,
       d.decided_at, d.policy_version,
       (select coalesce(json_agg(json_build_object('fingerprint', o.fingerprint, 'owner', o.owner, 'reason', o.reason,
          'expires_at', to_char(o.expires_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by o.fingerprint), '[]')
        from marketplace.overrides o where o.org = d.org and o.version_id = d.version_id
          and d.decision = 'approve' and o.confirmed_at is not null) as accepted
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
