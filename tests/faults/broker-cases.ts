import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from '../../platform/bus/bus.ts'
import { openKafkaBus } from '../../platform/bus/kafka.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import { silentLog } from '../../platform/log.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { topicList, topics } from '../../schemas/topics.ts'
import type { Case } from './cases.ts'
import type { KafkaProxy, Spoil } from './kafka-proxy.ts'
import { leaderOfPartition, producerCases } from './producer-cases.ts'
import { TENANT } from './stage.ts'
import type { World } from './world.ts'

type Cluster = { kafka: NonNullable<World['kafka']>; proxy: KafkaProxy }
type BrokerFault = {
  fault: string
  kills?: boolean
  begin(cluster: Cluster, leader: number): void
  /** How long it lasts, in seconds; at the end its load has been heard of again. */
  seconds: number
  end(cluster: Cluster, leader: number): Promise<void> | void
  /** Somebody else leads at the end. */
  elects?: boolean
}

/** Longer than the 3 s after which a silent broker is given up, the election, and the 10 s a client may hang on it. */
const NOTICED_S = 12
/** A few tries of an admin, one after the other. */
const TELL_LIMIT_MS = 30_000

const faults: readonly BrokerFault[] = [
  {
    fault: 'SIGKILL of the leading broker',
    kills: true,
    begin: ({ kafka }, leader) => kafka.broker(leader).kill('SIGKILL'),
    seconds: 1,
    end: ({ kafka }, leader) => kafka.restart(leader),
  },
  {
    fault: 'SIGSTOP of the leading broker',
    begin: ({ kafka }, leader) => kafka.broker(leader).kill('SIGSTOP'),
    seconds: 8,
    end: ({ kafka }, leader) => kafka.broker(leader).kill('SIGCONT'),
    elects: true,
  },
  {
    fault: 'restart of the leading broker',
    begin: ({ kafka }, leader) => kafka.broker(leader).kill('SIGTERM'),
    seconds: 0,
    end: ({ kafka }, leader) => kafka.restart(leader),
  },
  {
    fault: 'leading broker cut off, nothing passes',
    begin: ({ proxy }, leader) => proxy.cut(leader, 'both'),
    seconds: NOTICED_S,
    end: ({ proxy }) => proxy.heal(),
    elects: true,
  },
  {
    fault: 'leading broker cut off, its answers do not pass',
    begin: ({ proxy }, leader) => proxy.cut(leader, 'answers'),
    seconds: NOTICED_S,
    end: ({ proxy }) => proxy.heal(),
    elects: true,
  },
]

const brokerCase = ({ fault, kills = false, begin, seconds, end, elects }: BrokerFault): Case => ({
  fault,
  kills,
  async run(stage, long) {
    const cluster = clusterOf(stage.world)
    const name = fault.replaceAll(/[^a-z]/gi, '-')
    const running = await stage.world.start(['billing'])
    const load = stage.load(name, () => running.urls.billing, { everyMs: 5 })
    const times = long ? 3 : 1
    const wrong: string[] = []
    const buses = elects ? await busesOf(cluster) : []
    for (let n = 0; n < times; n++) {
      await load.more(400)
      const leader = await leaderOf(cluster)
      begin(cluster, leader)
      await pause(seconds * 1_000)
      // What is acknowledged now was taken by whoever leads instead.
      if (elects) await load.more(400)
      if (elects && (await leaderOf(cluster, leader)) === leader) wrong.push('nobody else was elected')
      if (!(await allTell(buses))) wrong.push('not every admin was answered while the broker was silent')
      await end(cluster, leader)
      await load.more(400)
    }
    const finding = await stage.check(name, load, running)
    await Promise.all(buses.map((bus) => bus.close()))
    await running.signal('SIGTERM')
    return { ...finding, wrong: [...wrong, ...finding.wrong], times }
  },
})

const NOT_LEADER = 6
const TIMED_OUT = 7
const spoils: readonly { fault: string; as: Spoil; every: number; answers: number }[] = [
  { fault: 'a broker appends and answers NOT_LEADER', as: { code: NOT_LEADER }, every: 7, answers: 12 },
  { fault: 'a broker appends and answers REQUEST_TIMED_OUT', as: { code: TIMED_OUT }, every: 7, answers: 12 },
  { fault: 'a broker appends and does not answer', as: 'silence', every: 40, answers: 2 },
]

const spoilCase = ({ fault, as, every, answers }: (typeof spoils)[number]): Case => ({
  fault,
  async run(stage, long) {
    const { proxy } = clusterOf(stage.world)
    const name = fault.replaceAll(/[^a-z]/gi, '-')
    const running = await stage.world.start(['billing'])
    const load = stage.load(name, () => running.urls.billing, { everyMs: 5 })
    const before = proxy.spoiled()
    const wanted = long ? answers * 3 : answers
    proxy.spoil({ every, as })
    const deadline = performance.now() + 120_000
    while (proxy.spoiled() - before < wanted && performance.now() < deadline) await pause(20)
    proxy.spoil(null)
    const finding = await stage.check(name, load, running)
    const times = proxy.spoiled() - before
    if (times < wanted) finding.wrong.push(`only ${times} of ${wanted} answers were spoiled`)
    await running.signal('SIGTERM')
    return { ...finding, times }
  },
})

function clusterOf({ kafka, proxy }: World): Cluster {
  if (!kafka || !proxy) throw new Error('this needs three brokers behind the proxy')
  return { kafka, proxy }
}

/** Buses whose admins are connected to one broker each, so one of them to the broker that will be silent. */
const busesOf = ({ kafka }: Cluster): Promise<Bus[]> =>
  Promise.all(
    kafka.brokers.map(() =>
      openKafkaBus({ brokers: kafka.brokers, topics: topicList, log: silentLog, metrics: createMetrics() }),
    ),
  )

/** Lag and lists of topics are asked of brokers too; whoever was connected to the silent one must ask another. */
async function allTell(buses: readonly Bus[]): Promise<boolean> {
  const told = Promise.all(buses.map((bus) => bus.extents(topicList)))
  const late = pause(TELL_LIMIT_MS, null, { ref: false })
  return (await Promise.race([told.catch(() => null), late])) !== null
}

/** Who leads the partition that the load goes to; one that does not answer is not asked. */
async function leaderOf({ kafka }: Cluster, silent?: number): Promise<number> {
  const { name, partitions } = topics.usage
  return leaderOfPartition(kafka, name, partitionOf(TENANT, partitions), silent)
}

/** On a cluster of three. */
export const ofBrokers: readonly Case[] = [...producerCases, ...spoils.map(spoilCase), ...faults.map(brokerCase)]
