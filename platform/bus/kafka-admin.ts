import type { Admin as Client } from './kafka.ts'
import { within } from './kafka-producer.ts'

/** What the bus asks brokers beside producing and fetching. */
export type Admin = Pick<
  Client,
  | 'listTopics'
  | 'describeCluster'
  | 'describeConfigs'
  | 'fetchTopicMetadata'
  | 'fetchTopicOffsets'
  | 'fetchTopicOffsetsByTimestamp'
  | 'createTopics'
  | 'disconnect'
>

/** Longer than a request may take, so that a client which tries another broker by itself gets the time for it. */
const CALL_LIMIT_MS = 6_000
/** What a broker said, rather than that none did: asking another one gives the same. */
const ANSWERS = new Set(['KafkaJSProtocolError', 'KafkaJSAggregateError', 'KafkaJSCreateTopicError'])

/**
 * An admin that leaves a broker which is silent. A client of kafkajs asks the broker it is connected to again and again,
 * and one that is frozen keeps its connection: lag could not be told until it went on. After a call that failed or hung
 * the client is thrown away and the call goes to a new one. Rejects when nobody answers `tries` times.
 */
export async function openSteadyAdmin(
  connect: () => Promise<Client>,
  { tries, limitMs = CALL_LIMIT_MS }: { tries: number; limitMs?: number },
): Promise<Admin> {
  let current = connect()
  await current

  function replace(failed: Promise<Client>): void {
    // Of several calls that hang in the same client, the first replaces it.
    if (current !== failed) return
    current = connect()
    current.catch(() => {})
    void failed.then((client) => client.disconnect()).catch(() => {})
  }

  async function call<T>(work: (client: Client) => Promise<T>, left = tries): Promise<T> {
    const used = current
    try {
      return await within(limitMs, used.then(work))
    } catch (error) {
      if (error instanceof Error && ANSWERS.has(error.name)) throw error
      replace(used)
      if (left <= 1) throw error
      return call(work, left - 1)
    }
  }

  return {
    listTopics: () => call((client) => client.listTopics()),
    describeCluster: () => call((client) => client.describeCluster()),
    describeConfigs: (of) => call((client) => client.describeConfigs(of)),
    fetchTopicMetadata: (of) => call((client) => client.fetchTopicMetadata(of)),
    fetchTopicOffsets: (topic) => call((client) => client.fetchTopicOffsets(topic)),
    fetchTopicOffsetsByTimestamp: (topic, at) => call((client) => client.fetchTopicOffsetsByTimestamp(topic, at)),
    createTopics: (of) => call((client) => client.createTopics(of)),
    disconnect: async () => (await current).disconnect(),
  }
}
