import { expect } from 'chai'
import { rememberShortly } from '../../../platform/auth/short-memory.ts'
import { testClock } from '../../support/clock.ts'

describe('platform/auth/short-memory', () => {
  const clock = testClock('2026-11-02T10:00:00Z')
  let asked: number
  let answer: () => Promise<string | undefined>
  let ask: (key: string) => Promise<string | undefined>
  beforeEach(() => {
    asked = 0
    answer = async () => 'first'
    ask = rememberShortly(async () => {
      asked += 1
      return answer()
    }, clock)
  })

  it('asks once for many, and again after two seconds', async () => {
    await Promise.all(Array.from({ length: 50 }, () => ask('a')))
    expect(asked).to.equal(1)
    answer = async () => 'second'
    clock.advance(1_999)
    expect(await ask('a')).to.equal('first')
    clock.advance(1)
    expect(await ask('a')).to.equal('second')
    expect(asked).to.equal(2)
  })

  it('asks each time for what is not there, and forgets what is gone', async () => {
    await ask('a')
    answer = async () => undefined
    clock.advance(2_000)
    expect(await ask('a')).to.equal(undefined)
    answer = async () => {
      throw new Error('down')
    }
    expect(await ask('a').catch((error: Error) => error.message)).to.equal('down')
    expect(asked).to.equal(3)
  })

  it('goes on with what was known while asking fails, and while it is late', async () => {
    await ask('a')
    answer = async () => {
      throw new Error('down')
    }
    clock.advance(60_000)
    expect(await ask('a')).to.equal('first')
    let release = (_: string) => {}
    answer = () =>
      new Promise((resolve) => {
        release = resolve
      })
    expect(await ask('a')).to.equal('first')
    release('late')
    await Promise.resolve()
    await Promise.resolve()
    expect(await ask('a')).to.equal('late')
  })
})
