import { execFileSync } from 'node:child_process'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { canonicalJson } from '../../../platform/canonical-json.ts'
import { recordCheck } from '../../../producers/marketplace/health-checks.ts'
import { proofText } from '../../../producers/marketplace/signing-keys.ts'
import { preAuthEncoding } from '../../../producers/marketplace/trust/pre-auth-encoding.ts'
import { verifySignature } from '../../../producers/marketplace/trust/verify-signature.ts'
import { run } from '../../../sdk/cli/main.ts'
import { newKey } from '../../support/organisations.ts'
import { packageBytes } from '../../support/packages.ts'
import { base64, type LooseJson, signWith } from '../../support/signed-forms.ts'
import { type Marketplace, openMarketplace, type Uploaded, verdictOf } from './fixture.ts'

type Attestation = { predicate_type: string; signed_at: string; bundle: LooseJson }
const finding = {
  rule_id: 'WPK-P1-001',
  policy: 'P-1',
  severity: 'low' as const,
  confidence: 'low' as const,
  pointer: '/spec',
  message: 'something small',
  remediation: 'look at it',
  fingerprint: 'a'.repeat(64),
}

describe('producers/marketplace: what the marketplace signs', () => {
  let market: Marketplace
  let version: Uploaded
  before(async () => {
    market = await openMarketplace()
    await market.judging((_, digest) => verdictOf(digest, { violations: [finding], risk_score: 0.25 }))
    version = await market.upload({ name: 'attested' })
    await market.statusBecomes(version.id, 'in_review')
  })
  after(() => market.close())

  const verdict = async (as = market.tokens.demo) =>
    (await market.call<LooseJson>('GET', `/wpk/${version.id}/verdict`, { as })).body
  const attestations = async (): Promise<Attestation[]> => (await verdict()).attestations
  const statementIn = ({ bundle }: Attestation): LooseJson =>
    JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString())
  const registryPem = async (): Promise<string> =>
    (await market.call<LooseJson>('GET', '/registry/keys', { as: market.tokens.acme })).body.keys[0].public_key
  const owner = () => market.database.as('postgres')
  const pending = async () =>
    (await owner().query<{ n: number }>('select count(*)::int as n from marketplace.to_record'))[0]?.n

  /** `atom audit verify` against this marketplace. */
  async function audit(...args: string[]): Promise<{ code: number; out: string; said: string }> {
    let [out, said] = ['', '']
    const code = await run(
      ['audit', 'verify', ...args],
      { MARKET_API: market.service.url, ATOM_TOKEN: market.tokens.reviewer },
      {
        out: async (text) => {
          out += text
        },
        say: (line) => {
          said += line
        },
        signal: new AbortController().signal,
      },
    )
    return { code, out, said }
  }

  it('waits while its key cannot be reached, and loses nothing', async () => {
    const before = await pending()
    expect(before).to.be.greaterThan(0)
    market.registryKey.reachable(false)
    expect(await market.keepRecord().catch((error: Error) => error.message)).to.equal('the key cannot be reached')
    const check = recordCheck(market.database.as('atom_marketplace'), () => new Date(Date.now() + 61_000))
    expect(await check.run()).to.include({ status: 'warning', code: 'record_behind' })
    market.registryKey.reachable(true)
    expect([await pending(), await attestations()]).to.deep.equal([before, []])
    expect(await market.keepRecord()).to.equal(before)
    expect(await pending()).to.equal(0)
    expect(await check.run()).to.deep.equal({ status: 'ok' })
    expect(await market.keepRecord(), 'and does it once').to.equal(0)
  })

  it('is the verdict, as a statement about the bytes that names rules, model and findings', async () => {
    const [made] = (await attestations()) as [Attestation]
    expect(made.predicate_type).to.equal('atom:attestation:verdict:1')
    const { _type, subject, predicateType, predicate } = statementIn(made)
    expect([_type, predicateType]).to.deep.equal(['https://in-toto.io/Statement/v1', made.predicate_type])
    expect(subject).to.deep.equal([{ name: 'attested@1.0.0', digest: { sha256: version.digest.slice(7) } }])
    const { violations } = await verdict()
    expect(predicate).to.deep.include({
      decision: 'pass',
      risk_score: 0.25,
      ruleset: '1.0.0',
      model: null,
      findings: 1,
    })
    expect(predicate.package).to.deep.equal({ id: version.id, publisher: 'demo', name: 'attested', version: '1.0.0' })
    expect(predicate.findings_sha256).to.equal(createHash('sha256').update(canonicalJson(violations)).digest('hex'))
  })

  it('and each decision: who, why, and the record before and after', async () => {
    const decided = await market.call('POST', `/wpk/review/${version.id}`, {
      as: market.tokens.reviewer,
      json: { decision: 'approve', justification: 'bounded and harmless' },
    })
    expect(decided.status).to.equal(200)
    await market.keepRecord()
    const [, made] = (await attestations()) as [Attestation, Attestation]
    expect(made.predicate_type).to.equal('atom:attestation:decision:1')
    const { predicate } = statementIn(made)
    expect(predicate).to.include({
      decision: 'approve',
      approver: 'atom-reviewer@atom',
      approver_kind: 'person',
      justification: 'bounded and harmless',
      decided_at: market.clock().toISOString(),
    })
    for (const hash of [predicate.before, predicate.after]) expect(hash).to.match(/^sha256:[0-9a-f]{64}$/)
    expect(predicate.verdict.ruleset).to.equal('1.0.0')
  })

  it('verifies offline: with node, with the commands of docs/trust.md, and by the same rules as the bundles of partners', async () => {
    const pem = await registryPem()
    const folder = mkdtempSync(join(tmpdir(), 'atom-test-openssl-'))
    const page = readFileSync(new URL('../../../docs/trust.md', import.meta.url), 'utf8')
    const commands = /```\n(node -e [^`]*(?:`[^`]+`[^`]*)*openssl dgst .*\n)```/.exec(page)?.[1] as string
    try {
      for (const { bundle } of await attestations()) {
        const { payload, payloadType, signatures } = bundle.dsseEnvelope
        const signed = preAuthEncoding(payloadType, Buffer.from(payload, 'base64'))
        const signature = Buffer.from(signatures[0].sig, 'base64')
        expect(verify('sha256', signed, pem, signature)).to.equal(true)
        writeFileSync(join(folder, 'registry.pub'), pem)
        writeFileSync(join(folder, 'decision.json'), JSON.stringify(bundle))
        expect(execFileSync('bash', ['-ec', commands], { cwd: folder }).toString()).to.contain('Verified OK')
        const [half] = await market.registryKey.publicKeys()
        const key = {
          keyId: half?.keyId ?? '',
          pem,
          algorithm: 'ecdsa-p256' as const,
          validFrom: new Date(0),
          revokedAt: null,
        }
        const content = await market.call<LooseJson>('GET', `/wpk/${version.id}/content`, { as: market.tokens.demo })
        const bytes = packageBytes({ name: 'attested' })
        expect(content.body).to.deep.equal(JSON.parse(bytes.toString()))
        const signers = { keys: [key], identities: [], foreign: async () => [] }
        const trust = {
          signers,
          root: () => {
            throw new Error('not asked')
          },
          receivedAt: new Date(),
        }
        expect((await verifySignature(bytes, { bundle }, trust)).signer).to.equal(half?.keyId)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
    expect(createPublicKey(pem).asymmetricKeyDetails?.namedCurve).to.equal('prime256v1')
  })

  it('and what its publisher or the operator takes back later', async () => {
    await market.statusBecomes(version.id, 'published')
    const json = { reason: 'a better one is there' }
    const path = `/wpk/${version.id}/deprecate`
    expect((await market.call('POST', path, { as: market.tokens.demo, json })).status).to.equal(200)
    await market.keepRecord()
    const { predicate } = statementIn((await attestations()).at(-1) as Attestation)
    expect(predicate).to.include({ decision: 'deprecate', approver: 'demo-partner@demo', justification: json.reason })
  })

  it('is seen by whoever sees the version, and the log by the operator only', async () => {
    expect((await verdict(market.tokens.acme)).attestations).to.have.length(3)
    expect((await market.call('GET', '/registry/audit', { as: market.tokens.demo })).status).to.equal(403)
    expect((await market.call('GET', '/registry/keys', { as: market.tokens.demo })).status).to.equal(200)
  })

  describe('the audit log', () => {
    before(async () => {
      const key = newKey()
      const proof = base64(signWith(key, Buffer.from(proofText('demo', key.keyId))))
      const json = { public_key: key.pem, proof }
      expect((await market.call('POST', '/orgs/keys', { as: market.tokens.demo, json })).status).to.equal(201)
      const path = `/orgs/keys/${encodeURIComponent(key.keyId)}`
      expect((await market.call('DELETE', path, { as: market.tokens.demo })).status).to.equal(204)
      await market.keepRecord()
    })

    it('holds verdicts, decisions and changes of signers in order, each with the hash of the one before', async () => {
      const { body } = await market.call<LooseJson>('GET', '/registry/audit?limit=500', { as: market.tokens.reviewer })
      const kinds = body.entries.map(({ entry }: { entry: string }) => JSON.parse(entry).kind)
      expect(kinds.slice(-4)).to.deep.equal(['decision', 'decision', 'key_registered', 'key_revoked'])
      const { code, out } = await audit()
      expect([code, out]).to.deep.equal([
        0,
        `whole: ${kinds.length} entries, ${body.checkpoints.length} signed checkpoints, head ${kinds.length}:${body.entries.at(-1).sha256}\n`,
      ])
    })

    it('can be checked with a key and a head that somebody kept', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'atom-test-audit-'))
      try {
        const [file, other] = [join(folder, 'kept.pem'), join(folder, 'other.pem')]
        writeFileSync(file, await registryPem())
        writeFileSync(other, newKey().pem)
        const head = /head (\S+)/.exec((await audit()).out)?.[1] as string
        expect((await audit('--key', file, '--head', head)).code).to.equal(0)
        expect((await audit('--key', other)).out).to.contain('not signed by a known key')
        const both = join(folder, 'both.pem')
        writeFileSync(both, `${newKey().pem}${await registryPem()}`)
        expect((await audit('--key', both)).code, 'a former key and the one of today').to.equal(0)
        writeFileSync(both, 'no key')
        expect((await audit('--key', both)).code).to.equal(2)
        expect(
          (
            await audit(
              '--head',
              head.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
            )
          ).out,
        ).to.contain('not in the log any more')
        expect((await audit('--head', 'x')).code).to.equal(2)
      } finally {
        rmSync(folder, { recursive: true })
      }
    })

    it('cannot be changed by the services', async () => {
      for (const role of ['atom_app', 'atom_marketplace'])
        for (const sql of [
          "update marketplace.audit_log set entry = '{}'",
          'delete from marketplace.audit_log',
          'delete from marketplace.audit_checkpoints',
          "update marketplace.attestations set bundle = '{}'",
        ])
          expect(
            await market.database
              .as(role)
              .query(sql)
              .catch((error: Error) => error.message),
          ).to.contain('permission denied')
    })

    const tampered: [string, string, string][] = [
      [
        'an entry was changed',
        "update marketplace.audit_log set entry = replace(entry, 'key_revoked', 'key_rewoked')",
        'was changed',
      ],
      [
        'an entry was changed with its hash',
        `update marketplace.audit_log set entry = replace(entry, 'decision"', 'decisiom"'), sha256 = encode(sha256(convert_to(replace(entry, 'decision"', 'decisiom"'), 'utf8')), 'hex') where entry like '%"decision"%'`,
        'does not follow the one before it',
      ],
      [
        'an entry was taken out',
        'delete from marketplace.audit_log where seq = (select min(seq) from marketplace.audit_log where seq not in (select seq from marketplace.audit_checkpoints))',
        'is missing',
      ],
      [
        'the newest entries were cut off with their checkpoint',
        'with cut as (delete from marketplace.audit_checkpoints where seq = (select max(seq) from marketplace.audit_checkpoints) returning seq) delete from marketplace.audit_log where seq = (select seq from cut)',
        'under no checkpoint',
      ],
      [
        'a checkpoint was forged',
        `update marketplace.audit_checkpoints set envelope = jsonb_set(envelope, '{payload}', to_jsonb(encode(convert_to(replace(convert_from(decode(envelope->>'payload', 'base64'), 'utf8'), '2026', '2027'), 'utf8'), 'base64')))`,
        'not signed by a known key',
      ],
    ]
    for (const [what, sql, fault] of tampered)
      it(`says when ${what}`, async () => {
        const kept = await owner().query<LooseJson>('select * from marketplace.audit_log order by seq')
        const heads = await owner().query<LooseJson>('select * from marketplace.audit_checkpoints order by seq')
        await owner().query(
          'alter table marketplace.audit_checkpoints drop constraint if exists audit_checkpoints_seq_fkey',
        )
        await owner().query(sql)
        try {
          const { code, out } = await audit()
          expect([code, out]).to.satisfy(([c, o]: [number, string]) => c === 1 && o.includes(fault), out)
        } finally {
          await owner().query('truncate marketplace.audit_log, marketplace.audit_checkpoints')
          for (const one of kept)
            await owner().query('insert into marketplace.audit_log (seq, org, entry, sha256) values (?, ?, ?, ?)', [
              one.seq,
              one.org,
              one.entry,
              one.sha256,
            ])
          for (const one of heads)
            await owner().query('insert into marketplace.audit_checkpoints (seq, envelope) values (?, ?)', [
              one.seq,
              JSON.stringify(one.envelope),
            ])
        }
        expect((await audit()).code).to.equal(0)
      })
  })
})
