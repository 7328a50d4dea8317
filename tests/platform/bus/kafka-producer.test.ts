import { expect } from 'chai'
import type { Producer } from 'kafkajs'
import type { OutgoingRecord } from '../../../platform/bus/bus.ts'
import { openCarefulProducer } from '../../../platform/bus/kafka-producer.ts'
import { partitionOf } from '../../../platform/bus/partition.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { topics } from '../../../schemas/topics.ts'
import { eventually, gate } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { rejected } from '../../support/rejected.ts'

type Send = { producer: number; values: string[]; partitions: number[] }

/** Stands for kafkajs: `answer` decides each send; what reached a broker is kept. */
function careful(answer: (send: Send, nth: number) => Promise<void> | void, more: { produceTimeoutMs?: number } = {}) {
  const sends: Send[] = []
  let [opened, closed, outstanding, most] = [0, 0, 0, 0]
  const open = () => {
    const producer = ++opened
    return {
      connect: async () => {},
      async disconnect() {
        closed += 1
      },
      async sendBatch({ topicMessages }: Parameters<Producer['sendBatch']>[0]) {
        const messages = (topicMessages ?? []).flatMap((one) => one.messages)
        const values = messages.map(({ value }) => String(value))
        const send = { producer, values, partitions: messages.map(({ partition }) => partition ?? -1) }
        sends.push(send)
        most = Math.max(most, ++outstanding)
        try {
          await answer(send, sends.length)
        } finally {
          outstanding -= 1
        }
        return []
      },
    } as unknown as Producer
  }
  const metrics = createMetrics()
  const options = { open, requestTimeoutMs: 20, produceTimeoutMs: 10_000, log: recordingLog().log, metrics, ...more }
  return { producer: openCarefulProducer(options), sends, metrics, counts: () => ({ opened, closed, most }) }
}

const record = (value: string, key = 'demo'): OutgoingRecord => ({
  topic: topics.usage,
  key,
  headers: {},
  value: Buffer.from(value),
})
const fail = (type: string, retriable = true) => Object.assign(new Error(type), { type, retriable })

describe('platform/bus/kafka-producer', () => {
  it('has one send outstanding at a time, and the next carries all that gathered, in order', async () => {
    const hold = gate()
    const { producer, sends, counts } = careful((_, nth) => (nth === 1 ? hold.opened : undefined))
    const all = ['1', '2', '3', '4'].map((value) => producer.send([record(value)]))
    await eventually('the first is on its way', () => sends.length === 1)
    hold.open()
    await Promise.all(all)
    expect(sends.map(({ values }) => values)).to.deep.equal([['1'], ['2', '3', '4']])
    expect(counts().most).to.equal(1)
  })

  it('names the partition itself', async () => {
    const { producer, sends } = careful(() => {})
    await producer.send([record('1', 'demo'), record('2', 'acme')])
    expect(sends[0]?.partitions).to.deep.equal(['demo', 'acme'].map((key) => partitionOf(key, topics.usage.partitions)))
  })

  it('sends the same records again on a new producer after a failure, before anything else', async () => {
    const { producer, sends, counts, metrics } = careful((_, nth) => {
      if (nth === 1) throw fail('REQUEST_TIMED_OUT')
    })
    await Promise.all([producer.send([record('1'), record('2')]), producer.send([record('3')])])
    expect(sends.map(({ producer: by, values }) => [by, values])).to.deep.equal([
      [1, ['1', '2']],
      [2, ['1', '2']],
      [2, ['3']],
    ])
    expect(counts()).to.include({ opened: 2, closed: 1 })
    expect(await metrics.text()).to.match(/atom_bus_producers_replaced_total 1/)
  })

  it('replaces a producer that does not answer', async () => {
    const { producer, sends } = careful((_, nth) => (nth === 1 ? new Promise(() => {}) : undefined))
    await producer.send([record('1')])
    expect(sends.map(({ producer: by }) => by)).to.deep.equal([1, 2])
  })

  it('finds the records a broker never takes among the others, and says so to their sender only', async () => {
    const hold = gate()
    const { producer } = careful(async ({ values }, nth) => {
      if (nth === 1) await hold.opened
      if (values.includes('bad')) throw fail('MESSAGE_TOO_LARGE', false)
    })
    const sent = Promise.allSettled(['0', '1', 'bad', '2'].map((value) => producer.send([record(value)])))
    hold.open()
    const results = await sent
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(results[2]).to.have.nested.property('reason.code', 'record_refused')
  })

  it('says that it does not know once the time is over', async () => {
    const { producer, counts } = careful(
      () => {
        throw fail('NOT_ENOUGH_REPLICAS')
      },
      { produceTimeoutMs: 30 },
    )
    const error = await rejected(producer.send([record('1')]))
    expect(error).to.include({ code: 'unavailable' })
    expect(error).to.have.nested.property('cause.message', 'NOT_ENOUGH_REPLICAS')
    expect(counts().opened).to.be.greaterThan(1)
  })

  it('splits what is too much for one batch, and keeps the order', async () => {
    const { producer, sends } = careful(() => {})
    const large = ['a', 'b', 'c'].map((letter) => record(letter.repeat(600_000)))
    await producer.send([...large, ...Array.from({ length: 1_500 }, (_, n) => record(String(n)))])
    expect(sends.length).to.be.greaterThan(4)
    expect(sends.every(({ values }) => values.join('').length <= 1_000_000)).to.equal(true)
    expect(sends.flatMap(({ values }) => values.map((one) => one.slice(0, 4)))).to.deep.equal([
      'aaaa',
      'bbbb',
      'cccc',
      ...Array.from({ length: 1_500 }, (_, n) => String(n)),
    ])
  })

  it('finishes what is on its way when it is closed, and takes nothing more', async () => {
    const hold = gate()
    const { producer, sends } = careful(() => hold.opened)
    const sent = producer.send([record('1')])
    await eventually('it is on its way', () => sends.length === 1)
    const closing = producer.close()
    hold.open()
    await Promise.all([sent, closing])
    expect(await rejected(producer.send([record('2')]))).to.include({ code: 'unavailable' })
  })
})
