import { expect } from 'chai'
import { AppError } from '../../../platform/errors.ts'
import { jobThread } from '../../../platform/threads/job-thread.ts'
import type { servedJobs } from './served.ts'

const PROGRAM = new URL('./served.mjs', import.meta.url)
const open = (options: Parameters<typeof jobThread>[1] = {}) => jobThread<typeof servedJobs>(PROGRAM, options)
const refusal = (job: Promise<unknown>): Promise<AppError> =>
  job.then(
    (value) => expect.fail(`it answered ${JSON.stringify(value)}`),
    (error: AppError) => error,
  )

describe('platform/threads: work on a thread of its own', () => {
  const thread = open()
  before(async function () {
    // A worker takes its time to start on a busy machine.
    this.timeout(30_000)
    await thread.ready()
  })

  it('answers what the job says, from another thread than this', async () => {
    expect(await thread.run('add', 'a', { a: 1, b: 2 })).to.equal(3)
    expect(await thread.run('thread', 'a', null as never)).to.be.greaterThan(0)
  })

  it('hands on a refusal with its code, status and places, and any other failure as one', async () => {
    const refused = await refusal(thread.run('refuse', 'a', null as never))
    expect(refused).to.be.instanceOf(AppError)
    expect(refused).to.deep.include({ code: 'body_malformed', status: 400, message: 'not so' })
    expect(refused.errors).to.deep.equal([{ pointer: '/a', code: 'b', detail: 'c' }])
    const failed = await refusal(thread.run('fail', 'a', null as never))
    expect([failed instanceof AppError, failed.message]).to.deep.equal([false, 'broken'])
  })

  it('lets callers take turns, so that one with many jobs does not keep the others waiting', async () => {
    const many = Array.from({ length: 5 }, () => thread.run('note', 'many', { who: 'many', ms: 20 }))
    const one = thread.run('note', 'one', { who: 'one', ms: 0 })
    await one
    const order = (await Promise.all(many)).at(-1)
    expect(order).to.deep.equal(['many', 'many', 'one', 'many', 'many', 'many'])
  })

  it('refuses the jobs of a caller that has too many waiting, and of nobody else', async () => {
    const few = open({ mostWaiting: 2 })
    const waiting = [1, 2].map((a) => few.run('add', 'a', { a, b: 0 }))
    const refused = await refusal(few.run('add', 'a', { a: 3, b: 0 }))
    expect(refused).to.deep.include({ code: 'unavailable', status: 503, headers: { 'retry-after': '1' } })
    expect(await few.run('add', 'b', { a: 4, b: 0 })).to.equal(4)
    expect(await Promise.all(waiting)).to.deep.equal([1, 2])
  }).timeout(30_000)

  it('ends a job that takes too long, and does the next ones on a new thread', async () => {
    const impatient = open({ timeLimitMs: 300 })
    const hanging = impatient.run('hang', 'a', null as never)
    const next = impatient.run('add', 'a', { a: 1, b: 1 })
    expect((await refusal(hanging)).message).to.contain('longer than 300 ms')
    expect(await next).to.equal(2)
  }).timeout(30_000)

  it('fails only the job at which the thread died', async () => {
    const leaving = thread.run('leave', 'a', null as never)
    const next = thread.run('add', 'a', { a: 2, b: 2 })
    expect((await refusal(leaving)).message).to.contain('it ended with code 3')
    expect(await next).to.equal(4)
  }).timeout(30_000)

  it('says so when the thread does not come up, and tries again with the next job', async () => {
    const none = jobThread<typeof servedJobs>(new URL('./absent.mjs', import.meta.url))
    for (const _time of [1, 2]) expect((await refusal(none.ready())).message).to.contain('absent.mjs')
  }).timeout(30_000)
})
