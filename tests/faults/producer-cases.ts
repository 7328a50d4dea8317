import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { RunningKafka } from '../../deploy/kafka/start.ts'
import { openKafkaBus } from '../../platform/bus/kafka.ts'
import { createMetrics } from '../../platform/metrics.ts'
import type { Topic } from '../../schemas/topics.ts'
import { adminOf } from '../support/kafka.ts'
import { recordingLog } from '../support/recording-log.ts'
import type { Case } from './cases.ts'
import type { Finding } from './oracle.ts'
import type { World } from './world.ts'

type Sender = {
  /** Resolves when the cluster has acknowledged it. */
  send(id: string): Promise<unknown>
  failures(): number
  close(): Promise<void>
}
/** A sender whose acknowledgements are remembered; it tells whether there was one. */
type Acknowledged = { send(id: string): Promise<boolean>; failures(): number }
type Opened = { kafka: RunningKafka; topic: Topic }

/** The naive producer fails after two of these, which is before any broker is given up (3 s). */
const SEND_TIMEOUT_MS = 1_000
/** A producer that was not reached by then will not be: the leader has given up its followers. */
const FROZEN_LIMIT_MS = 8_000
const OUTSTANDING = 8
let topicsMade = 0

/** The idempotent producer as its documentation shows it. */
async function openNaive({ kafka, topic }: Opened): Promise<Sender> {
  const client = new Kafka({ clientId: 'naive', brokers: kafka.brokers, logLevel: logLevel.NOTHING })
  const producer = client.producer({ idempotent: true, retry: { retries: 1, initialRetryTime: 100 } })
  await producer.connect()
  let failures = 0
  return {
    send: (id) =>
      producer
        .send({
          topic: topic.name,
          acks: -1,
          timeout: SEND_TIMEOUT_MS,
          messages: [{ key: id, value: id, partition: 0 }],
        })
        .catch((error: unknown) => {
          failures += 1
          throw error
        }),
    failures: () => failures,
    close: () => producer.disconnect(),
  }
}

async function openOurs({ kafka, topic }: Opened): Promise<Sender> {
  const { log, lines } = recordingLog()
  const bus = await openKafkaBus({
    brokers: kafka.brokers,
    topics: [topic],
    log,
    metrics: createMetrics(),
    sendTimeoutMs: SEND_TIMEOUT_MS,
  })
  return {
    send: (id) => bus.produce([{ topic, key: id, headers: {}, value: Buffer.from(id) }]),
    failures: () => lines.filter(({ message }) => message.startsWith('send failed')).length,
    close: () => bus.close(),
  }
}

/** A topic of one partition with three copies, a sender to it, and what it was acknowledged against what is stored. */
async function sending(
  world: World,
  open: (opened: Opened) => Promise<Sender>,
  work: (sender: Acknowledged, opened: Opened) => Promise<void>,
): Promise<Finding> {
  const kafka = world.kafka as RunningKafka
  const topic: Topic = { name: `faults.${++topicsMade}`, partitions: 1, retentionDays: 1, key: 'id', owner: 'tests' }
  const reader = await openKafkaBus({
    brokers: kafka.brokers,
    topics: [topic],
    log: recordingLog().log,
    metrics: createMetrics(),
  })
  const sender = await open({ kafka, topic })
  const acknowledged = new Set<string>()
  const send = async (id: string) => {
    const sent = await sender.send(id).then(
      () => true,
      () => false,
    )
    if (sent) acknowledged.add(id)
    return sent
  }
  try {
    await work({ send, failures: sender.failures }, { kafka, topic })
    const stored = new Set<string>()
    const [from, until] = [
      (await reader.bounds(topic, { kind: 'earliest' }))[0]?.at as string,
      (await reader.bounds(topic, { kind: 'latest' }))[0]?.at as string,
    ]
    for (let at = from; at !== until; ) {
      const records = await reader.read({ topic, partition: 0, from: at, until, maxRecords: 1_000 })
      for (const { value } of records) stored.add(value.toString())
      at = records.at(-1)?.next ?? until
    }
    const counted = [...acknowledged].filter((id) => stored.has(id)).length
    const wrong = sender.failures() === 0 ? ['the fault did not reach the producer'] : []
    // What a careful producer sends twice is dropped by the consumers: only a loss is wrong here.
    return { acknowledged: acknowledged.size, counted, lost: acknowledged.size - counted, double: 0, wrong }
  } finally {
    await Promise.all([sender.close(), reader.close()])
  }
}

/** A send that the leader appends and cannot confirm, and then others. */
const unconfirmed = (world: World, open: (opened: Opened) => Promise<Sender>): Promise<Finding> =>
  sending(world, open, async ({ send, failures }, { kafka, topic }) => {
    for (let n = 0; n < 5; n++) await send(`before-${n}`)
    const leader = await leaderOfPartition(kafka, topic.name, 0)
    const followers = [...kafka.brokers.keys()].filter((broker) => broker !== leader)
    for (const broker of followers) kafka.broker(broker).kill('SIGSTOP')
    const frozen = send('frozen')
    const deadline = performance.now() + FROZEN_LIMIT_MS
    while (failures() === 0 && performance.now() < deadline) await pause(10)
    for (const broker of followers) kafka.broker(broker).kill('SIGCONT')
    await frozen
    for (let n = 0; n < 20; n++) await send(`after-${n}`)
  })

const leaderKilled = (world: World): Promise<Finding> =>
  sending(world, openOurs, async ({ send }, { kafka, topic }) => {
    let stopping = false
    let sent = 0
    const lanes = Array.from({ length: OUTSTANDING }, async (_, lane) => {
      for (let n = 0; !stopping; n++) if (await send(`${lane}-${n}`)) sent += 1
    })
    const more = async (wanted: number) => {
      const enough = sent + wanted
      const deadline = performance.now() + 60_000
      while (sent < enough && performance.now() < deadline) await pause(10)
    }
    await more(200)
    const leader = await leaderOfPartition(kafka, topic.name, 0)
    kafka.broker(leader).kill('SIGKILL')
    await more(200)
    await kafka.restart(leader)
    await more(200)
    stopping = true
    await Promise.all(lanes)
  })

/** Over all tries; a control needs one of them to show the loss. */
async function tries(count: number, one: () => Promise<Finding>, enough: (finding: Finding) => boolean = () => false) {
  const sum: Finding & { times: number } = { acknowledged: 0, counted: 0, lost: 0, double: 0, wrong: [], times: 0 }
  while (sum.times < count) {
    const finding = await one()
    for (const name of ['acknowledged', 'counted', 'lost', 'double'] as const) sum[name] += finding[name]
    sum.wrong.push(...finding.wrong)
    sum.times += 1
    if (enough(finding)) return { ...sum, wrong: [] }
  }
  return sum
}

export const producerCases: readonly Case[] = [
  {
    fault: 'control: the idempotent producer of kafkajs, followers frozen (has to lose)',
    control: true,
    run: ({ world }) =>
      tries(
        5,
        () => unconfirmed(world, openNaive),
        ({ lost }) => lost > 0,
      ),
  },
  {
    fault: 'our producer, followers frozen',
    run: ({ world }, long) => tries(long ? 5 : 1, () => unconfirmed(world, openOurs)),
  },
  {
    fault: `our producer with ${OUTSTANDING} sends waiting, leader killed`,
    kills: true,
    run: ({ world }, long) => tries(long ? 20 : 1, () => leaderKilled(world)),
  },
]

export async function leaderOfPartition(
  kafka: RunningKafka,
  topic: string,
  partition: number,
  silent?: number,
): Promise<number> {
  const admin = await adminOf({ ...kafka, brokers: kafka.brokers.filter((_, broker) => broker !== silent) })
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  return (found[0]?.partitions.find((one) => one.partitionId === partition)?.leader ?? 1) - 1
}
