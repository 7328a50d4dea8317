import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { AtomError, type CallOptions, getVerdict } from '../../../sdk/typescript/index.ts'
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS, RETRIES } from '../../../sdk/typescript/retry.ts'
import { type ScriptedServer, type Step, startScriptedServer } from '../support/scripted-server.ts'

interface RetryCase {
  name: string
  options?: { retries?: number; timeout_ms?: number; deadline_ms?: number }
  steps: Step[]
  expect: { attempts: number; waits_ms: number[]; answer?: unknown; error?: Record<string, unknown> }
}

interface RetryCases {
  policy: Record<string, number>
  random: number
  now: string
  cases: RetryCase[]
}

const source = new URL('../../../sdk/retry-cases.json', import.meta.url)
const table = JSON.parse(readFileSync(source, 'utf8')) as RetryCases

describe('sdk/typescript retries (sdk/retry-cases.json)', () => {
  let server: ScriptedServer
  before(async () => {
    server = await startScriptedServer()
  })
  after(() => server.close())

  it('has the policy of the table', () => {
    expect({ retries: RETRIES, base_ms: BACKOFF_BASE_MS, cap_ms: BACKOFF_CAP_MS }).to.deep.equal(table.policy)
  })

  for (const given of table.cases) {
    it(given.name, async () => {
      server.play(given.steps)
      const { options, waits } = recordingOptions(server.url, given)
      const outcome = await getVerdict('case', 'token', options).then(
        (answer) => ({ answer }),
        (error: unknown) => ({ error }),
      )
      expect(server.heard(), 'requests').to.have.length(given.expect.attempts)
      expect(waits, 'waits').to.deep.equal(given.expect.waits_ms)
      if (!given.expect.error) {
        expect(outcome).to.deep.equal({ answer: given.expect.answer })
        return
      }
      const error = 'error' in outcome ? outcome.error : undefined
      expect(error).to.be.instanceOf(AtomError)
      expect(wireFields(error as AtomError)).to.deep.include({ ...given.expect.error, attempts: given.expect.attempts })
    })
  }

  it('stops at the caller’s abort, with its reason and no further attempt', async () => {
    server.play([{ hang: true }])
    const controller = new AbortController()
    const reason = new Error('the user left')
    const call = getVerdict('case', 'token', { baseUrl: server.url, signal: controller.signal })
    controller.abort(reason)
    const error = await call.catch((thrown: unknown) => thrown)
    expect(error).to.equal(reason)
  })

  it('says where it could not connect, and why', async () => {
    const gone = await startScriptedServer()
    await gone.close()
    const error = await getVerdict('case', 'token', { baseUrl: gone.url, retries: 0 }).catch((thrown) => thrown)
    expect(error).to.be.instanceOf(AtomError)
    expect(error.message).to.include(gone.url).and.include('ECONNREFUSED')
  })
})

/** Options whose waits are recorded instead of slept, and move the clock that the deadline is measured by. */
function recordingOptions(baseUrl: string, given: RetryCase): { options: CallOptions; waits: number[] } {
  const waits: number[] = []
  const runtime = {
    now: () => new Date(table.now),
    random: () => table.random,
    elapsedMs: () => waits.reduce((sum, ms) => sum + ms, 0),
    sleep: async (ms: number) => void waits.push(ms),
  }
  const { retries, timeout_ms, deadline_ms } = given.options ?? {}
  return { waits, options: { baseUrl, retries, timeoutMs: timeout_ms, deadlineMs: deadline_ms, runtime } }
}

function wireFields(error: AtomError): Record<string, unknown> {
  const { type, title, status, detail, instance, code, errors, attempts } = error
  const rest = { request_id: error.requestId ?? null, retry_after_ms: error.retryAfterMs ?? null }
  return { type, title, status, detail, instance, code, errors, attempts, ...rest }
}
