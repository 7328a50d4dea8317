import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { AtomError, approve, getVerdict, publishWPK, waitForStatus } from '../../../sdk/typescript/index.ts'
import { packageNamed, temporaryFolder, writePackage } from '../support/package-file.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { openTarget, type Target } from '../support/target.ts'

describe('sdk/typescript approve, getVerdict, waitForStatus', () => {
  const folder = temporaryFolder()
  let target: Target
  let scripted: ScriptedServer
  before(async () => {
    target = await openTarget()
    scripted = await startScriptedServer()
  })
  after(async () => {
    folder.remove()
    await Promise.all([target.close(), scripted.close()])
  })

  async function published(name: string): Promise<string> {
    const file = writePackage(folder.path, `${name}.json`, packageNamed(name))
    const options = { baseUrl: target.marketApi, signingKey: target.privateKeyPath }
    return (await publishWPK(file, target.apiKey, options)).id
  }

  it('carries a package from upload through its verdict and approval to published', async () => {
    const at = { baseUrl: target.marketApi }
    const id = await published(`sdk-${randomUUID()}`)
    await waitForStatus(id, target.apiKey, ['in_review'], { ...at, timeoutMs: 20_000 })
    const verdict = await getVerdict(id, target.apiKey, at)
    expect(verdict.risk_score).to.be.within(0, 1)
    expect(verdict.violations).to.be.an('array')
    const decided = await approve(id, target.reviewerToken, 'Read the one handler; it prints a word', at)
    expect(decided.id).to.equal(id)
    const final = await waitForStatus(id, target.apiKey, ['published'], { ...at, timeoutMs: 20_000 })
    expect(final.status).to.equal('published')
    const again = await approve(id, target.reviewerToken, 'Once more', at).catch((error: unknown) => error)
    expect(again).to.be.instanceOf(AtomError).and.include({ status: 409, attempts: 1 })
  }).timeout(60_000)

  it('refuses a partner’s approval and an empty justification', async () => {
    const at = { baseUrl: target.marketApi }
    const id = await published(`sdk-${randomUUID()}`)
    expect(await approve(id, target.apiKey, 'mine', at).catch((error) => error.status)).to.equal(403)
    expect(await approve(id, target.reviewerToken, '  ', at).catch((error) => error.code)).to.equal('invalid_argument')
  })

  it('shows another organisation’s unpublished package to nobody', async () => {
    const id = await published(`sdk-${randomUUID()}`)
    const error = await getVerdict(id, target.otherApiKey, { baseUrl: target.marketApi }).catch((thrown) => thrown)
    expect(error.status).to.equal(404)
  })

  const noWait = { random: () => 0, sleep: async () => undefined }

  it('takes the 409 of its own retried approval as the approval it made', async () => {
    scripted.play([
      { drop: 'before_answer' },
      { status: 409, json: { code: 'already_decided' } },
      { status: 200, json: { id: 'p', status: 'published' } },
    ])
    const answer = await approve('p', 'secret', 'looked at it', { baseUrl: scripted.url, runtime: noWait })
    expect(answer).to.deep.equal({ id: 'p', status: 'published' })
    expect(scripted.heard().map(({ method, path }) => `${method} ${path}`)).to.deep.equal([
      'POST /wpk/review/p',
      'POST /wpk/review/p',
      'GET /wpk/p',
    ])
  })

  it('keeps the 409 of a retried approval when another decision is in force', async () => {
    scripted.play([
      { drop: 'before_answer' },
      { status: 409, json: { code: 'already_decided' } },
      { status: 200, json: { id: 'p', status: 'rejected' } },
    ])
    const options = { baseUrl: scripted.url, runtime: noWait }
    const error = await approve('p', 'secret', 'looked at it', options).catch((thrown) => thrown)
    expect(error).to.be.instanceOf(AtomError).and.include({ code: 'already_decided', attempts: 2 })
  })

  it('stops waiting as soon as the package is rejected', async () => {
    scripted.play([{ status: 200, json: { id: 'p', status: 'rejected', reason: 'reads secrets' } }])
    const options = { baseUrl: scripted.url, runtime: noWait }
    const error = await waitForStatus('p', 'secret', ['published'], options).catch((thrown) => thrown)
    expect(error.code).to.equal('status_final')
    expect(error.message).to.include('reads secrets')
  })

  it('gives up waiting after the time given, and says what the status was', async () => {
    const waits: number[] = []
    const elapsedMs = () => waits.reduce((sum, ms) => sum + ms, 0)
    const runtime = { elapsedMs, sleep: async (ms: number) => void waits.push(ms) }
    const inReview = { status: 200, json: { id: 'p', status: 'in_review' } }
    scripted.play(Array.from({ length: 9 }, () => inReview))
    const options = { baseUrl: scripted.url, runtime, timeoutMs: 5000 }
    const error = await waitForStatus('p', 'secret', ['published'], options).catch((thrown) => thrown)
    expect(error.code).to.equal('wait_timeout')
    expect(error.message).to.include('in_review').and.include('5000 ms')
    // Polls at 0, 0.2, 0.6, 1.4 and 3 s; the next would be at 5 s.
    expect(scripted.heard()).to.have.length(5)
  })
})
