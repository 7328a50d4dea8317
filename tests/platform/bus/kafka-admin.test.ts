import { expect } from 'chai'
import type { Admin as Client } from '../../../platform/bus/kafka.ts'
import { openSteadyAdmin } from '../../../platform/bus/kafka-admin.ts'
import { rejected } from '../../support/rejected.ts'

type Fake = { listTopics: () => Promise<string[]>; closed: boolean }

/** Clients in the order in which they are connected. */
function cluster(...answers: Fake['listTopics'][]) {
  const opened: Fake[] = []
  return {
    opened,
    connect: async () => {
      const fake: Fake & { disconnect(): Promise<void> } = {
        listTopics: answers[opened.length] as Fake['listTopics'],
        closed: false,
        disconnect: async () => {
          fake.closed = true
        },
      }
      opened.push(fake)
      return fake as unknown as Client
    },
  }
}

const silent = () => new Promise<never>(() => {})
const named = (name: string) => Object.assign(new Error(name), { name })

describe('platform/bus/kafka-admin', () => {
  it('leaves a broker that is silent, for all calls that wait for it', async () => {
    const { connect, opened } = cluster(silent, async () => ['t'])
    const admin = await openSteadyAdmin(connect, { tries: 2, limitMs: 20 })
    expect(await Promise.all([admin.listTopics(), admin.listTopics()])).to.deep.equal([['t'], ['t']])
    expect(opened.map(({ closed }) => closed)).to.deep.equal([true, false])
  })

  it('gives up after as many brokers as it was told, and tries again with the next call', async () => {
    const { connect, opened } = cluster(silent, silent, async () => ['t'])
    const admin = await openSteadyAdmin(connect, { tries: 2, limitMs: 20 })
    expect((await rejected(admin.listTopics())).message).to.contain('within 20 ms')
    expect(await admin.listTopics()).to.deep.equal(['t'])
    expect(opened.length).to.equal(3)
  })

  it('passes on what a broker answers, and keeps the client', async () => {
    const { connect, opened } = cluster(() => Promise.reject(named('KafkaJSProtocolError')))
    const admin = await openSteadyAdmin(connect, { tries: 3, limitMs: 1_000 })
    expect((await rejected(admin.listTopics())).name).to.equal('KafkaJSProtocolError')
    expect(opened.length).to.equal(1)
  })

  it('says at once when nobody can be reached', async () => {
    const connect = () => Promise.reject(new Error('nobody'))
    expect((await rejected(openSteadyAdmin(connect, { tries: 3 }))).message).to.equal('nobody')
  })
})
